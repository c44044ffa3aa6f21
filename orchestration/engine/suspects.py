"""Claims of suspects by a solitary engine: all that may run together, or one that may not."""

from dataclasses import replace

from orchestration.engine.claims import QUERIES, ClaimLimits, claim_by, claim_values
from orchestration.engine.journal.connection import EngineConnection
from orchestration.program.run_info import RunInfo


async def claim_suspects(
    connection: EngineConnection, owner: str, limits: ClaimLimits, own_runs: list[RunInfo]
) -> list[RunInfo]:
    """The suspects that a solitary engine, which holds these already, runs from now on: one that must run alone while
    it has no other, else those that may run together.
    """
    if any(run.runs_alone for run in own_runs):
        return []
    if not own_runs and (runs := await _claim(connection, owner, replace(limits, max_runs=1), alone=True)):
        return runs
    return await _claim(connection, owner, limits, alone=False)


async def _claim(connection: EngineConnection, owner: str, limits: ClaimLimits, alone: bool) -> list[RunInfo]:
    return await claim_by(connection, "claim_suspects", claim_values(owner, limits) | {"alone": alone})


async def suspects_wait(connection: EngineConnection, max_deaths: int) -> bool:
    """Whether a suspect waits that no solitary engine is there for, or has room for."""
    cursor = await connection.execute(QUERIES["suspects_wait"], {"max_deaths": max_deaths})
    (row,) = await cursor.fetchall()
    return bool(row[0])
