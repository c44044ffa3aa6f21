"""Claims of runs from the queue, and what a run finds recorded and waiting for it (sql/claims.sql)."""

import json
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.database.pipeline import Row
from config.database.queries import load_queries
from config.database.statements import Values
from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import replan
from orchestration.program.run_info import Inbox, RunInfo, StepRecord

QUERIES = load_queries("orchestration.engine", "sql/claims.sql")


@dataclass(frozen=True)
class ClaimLimits:
    """How much to claim, and the caps."""

    max_runs: int
    tenant_cap: int
    kind_caps: dict[str, int]
    max_deaths: int  # alone, after which a run is given up
    user_cap: int = 5  # of tasks, of which each user may have only so many under way; the rest wait


async def claim(connection: EngineConnection, owner: str, limits: ClaimLimits) -> list[RunInfo]:
    """The runs that this owner now holds, fairly chosen, each with what was recorded of it before."""
    return await claim_by(connection, "claim", claim_values(owner, limits) | {"user_cap": limits.user_cap})


def claim_values(owner: str, limits: ClaimLimits) -> Row:
    """The values that all claims take."""
    return {
        "owner": owner,
        "max_runs": limits.max_runs,
        "tenant_cap": limits.tenant_cap,
        "kind_caps": json.dumps(limits.kind_caps),
        "max_deaths": limits.max_deaths,
    }


async def claim_by(connection: EngineConnection, query: str, values: Row) -> list[RunInfo]:
    """The runs that this claim of claims.sql brings, with what was recorded of them."""
    statements: list[tuple[str, Values]] = [*replan(connection), (QUERIES["lock_claims"], []), (QUERIES[query], values)]
    rows = (await connection.execute_transaction(statements))[-1]
    is_known = {row["id"]: row["is_known"] for row in rows}
    if not is_known:
        return []
    # After the commit: nobody else writes to what is ours, and who sends something to it notifies us.
    read = (QUERIES["read_runs"], {"ids": list(is_known), "owner": values["owner"]})
    runs = [RunInfo(**row) for row in (await connection.execute_transaction([read]))[0]]
    known_runs = {run.id: run for run in runs if is_known[run.id]}
    if known_runs:
        await _load_history(connection, known_runs)
    return runs


async def _load_history(connection: AsyncConnection, runs: dict[UUID, RunInfo]) -> None:
    """Fill in steps, last seq and inbox of runs that have lived before."""
    ids = {"ids": list(runs)}
    async with connection.cursor(row_factory=dict_row) as cursor:
        for row in await (await cursor.execute(QUERIES["read_steps"], ids)).fetchall():
            run, name = runs[row.pop("run_id")], row.pop("name")
            run.steps[name] = StepRecord(**row)
        for row in await (await cursor.execute(QUERIES["read_last_seqs"], ids)).fetchall():
            run = runs[row["run_id"]]
            run.last_seq, run.started_steps = row["seq"], set(row["started_steps"])
    for run_id, inbox in (await load_inboxes(connection, list(runs))).items():
        runs[run_id].inbox = inbox


async def load_inboxes(connection: AsyncConnection, ids: list[UUID]) -> dict[UUID, Inbox]:
    """What waits for each of these runs."""
    inboxes = {run_id: Inbox() for run_id in ids}
    values = {"ids": ids}
    async with connection.cursor(row_factory=dict_row) as cursor:
        for row in await (await cursor.execute(QUERIES["read_signals"], values)).fetchall():
            inboxes[row.pop("run_id")].signals.append(row)
        for row in await (await cursor.execute(QUERIES["read_approvals"], values)).fetchall():
            inboxes[row.pop("run_id")].approvals[row["step"]] = row
        for row in await (await cursor.execute(QUERIES["read_children"], values)).fetchall():
            inboxes[row["parent_id"]].children[row["parent_step"]] = row
    return inboxes


async def take_notified(connection: EngineConnection, owner: str) -> list[tuple[UUID, bool]]:
    """(id, whether it is to be cancelled) of the owner's runs that have something new; each is given once."""
    cursor = await connection.execute(QUERIES["take_notified"], {"owner": owner})
    return await cursor.fetchall()
