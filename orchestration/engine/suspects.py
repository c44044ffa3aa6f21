"""Which suspects a solitary engine takes: all that may run together, or one that may not."""

from dataclasses import replace

from orchestration.engine.claims import ClaimLimits, claim
from orchestration.engine.journal.connection import EngineConnection
from orchestration.program.run_info import RunInfo


async def claim_suspects(
    connection: EngineConnection, owner: str, limits: ClaimLimits, held: list[RunInfo]
) -> list[RunInfo]:
    """The suspects that a solitary engine, which holds these already, runs from now on: one that must run alone while
    it has no other, else those that may run together.
    """
    if any(run.runs_alone for run in held):
        return []
    if not held and (alone := await claim(connection, owner, replace(limits, most=1, alone=True))):
        return alone
    return await claim(connection, owner, limits)
