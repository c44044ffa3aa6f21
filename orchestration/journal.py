"""Fenced group commit: everything that a process's runs want written goes out in few, large transactions.

Each run's writes go through one lane in their order; a lane commits all that waits in ONE transaction on its own
connection. Every row is fenced by (run, owner, attempt): a stale engine writes nothing. A batch that fails is retried
    run by run, so that
one bad row hurts one run. What changed is published after the commit.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection

from governance import budgets
from orchestration.retry import LeaseLost

log = logging.getLogger(__name__)
BATCH_MOST = 400
LANES = 2
COMMITS_APART_S = 0.005  # while many runs are under way, a lane gathers for so long
RECONNECT_S = (0.1, 0.2, 0.5, 1.0, 2.0)

FENCE = """
SELECT r.id FROM json_to_recordset(%(runs)s::json) AS x(run_id uuid, attempt int)
JOIN orchestration_run r ON r.id = x.run_id AND r.owner = %(owner)s AND r.attempt = x.attempt
ORDER BY r.id FOR NO KEY UPDATE OF r
"""
_HELD = "JOIN orchestration_run r ON r.id = x.run_id AND r.owner = %(owner)s AND r.attempt = x.attempt"
STEPS = f"""
INSERT INTO orchestration_step (run_id, name, tenant_id, position, node_id, type, status, input, output, error, tries,
    retry_at, started_at, finished_at)
SELECT x.run_id, x.name, r.tenant_id, x.position, x.node_id, x.type, x.status, x.input, x.output, x.error, x.tries,
    to_timestamp(x.retry_at), to_timestamp(x.started_at), to_timestamp(x.finished_at)
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, name text, position int, node_id text, type text,
    status text, input jsonb, output jsonb, error jsonb, tries int, retry_at float8, started_at float8,
    finished_at float8)
{_HELD}
ON CONFLICT (run_id, name) DO UPDATE SET status = excluded.status, output = excluded.output, error = excluded.error,
    tries = excluded.tries, retry_at = excluded.retry_at, finished_at = excluded.finished_at
WHERE orchestration_step.status NOT IN ('completed', 'skipped')
"""
EVENTS = f"""
INSERT INTO orchestration_runevent (run_id, seq, tenant_id, kind, step, payload, ts)
SELECT x.run_id, x.seq, r.tenant_id, x.kind, x.step, x.payload, to_timestamp(x.ts)
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, seq int, kind text, step text, payload jsonb,
    ts float8)
{_HELD}
ON CONFLICT (run_id, seq) DO NOTHING
"""
# A finished step is progress: the workers that died with the run before it no longer count against it.
PROGRESS = f"""
UPDATE orchestration_run t SET deaths = 0
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int) {_HELD}
WHERE t.id = r.id AND t.deaths > 0
"""
# Not idempotent by itself: what was committed without our hearing of it shows by its events, and is not added again.
USAGE = f"""
UPDATE orchestration_run t SET cost_micro = t.cost_micro + x.micro, llm_calls = t.llm_calls + x.calls,
    prompt_tokens = t.prompt_tokens + x.prompt, completion_tokens = t.completion_tokens + x.completion
FROM (SELECT run_id, attempt, sum(micro) AS micro, sum(calls) AS calls, sum(prompt) AS prompt,
          sum(completion) AS completion
      FROM json_to_recordset(%(rows)s::json) AS b(run_id uuid, attempt int, micro bigint, calls int, prompt bigint,
      completion bigint, seq int)
      WHERE NOT EXISTS (SELECT FROM orchestration_runevent e WHERE e.run_id = b.run_id AND e.seq = b.seq)
      GROUP BY run_id, attempt) AS x {_HELD}
WHERE t.id = r.id
"""
APPROVALS = f"""
INSERT INTO orchestration_approval (id, run_id, tenant_id, step, node_id, message, role, expires_at, comment)
SELECT gen_random_uuid(), x.run_id, r.tenant_id, x.step, x.node_id, x.message, x.role, to_timestamp(x.expires_at), ''
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, step text, node_id text, message text, role text,
    expires_at float8)
{_HELD}
ON CONFLICT (run_id, step) DO NOTHING
"""
TAKEN = f"""
UPDATE orchestration_signal s SET taken_by = x.step
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, signal bigint, step text) {_HELD}
WHERE s.id = x.signal
"""
# A run that ends leaves nothing reserved, whatever became of the calls that it was reserved for.
RELEASE = f"""
WITH gone AS (
    DELETE FROM governance_hold h
    USING (SELECT r.id FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int) {_HELD}) AS ended
    WHERE h.run_id = ended.id RETURNING h.budget_ids, h.micro, h.calls
), moved AS (
    SELECT budget_id, sum(micro) AS micro, sum(calls) AS calls
    FROM gone, unnest(gone.budget_ids) AS budget_id GROUP BY budget_id
)
UPDATE governance_budget b SET held_micro = b.held_micro - m.micro, held_calls = b.held_calls - m.calls
FROM moved m WHERE b.id = m.budget_id
"""
CLOSE = """
UPDATE orchestration_run r
SET status = x.status, result = x.result, failure_reason = x.failure_reason, owner = NULL, updated_at = now(),
    finished_at = CASE WHEN x.final THEN now() END,
    due_at = CASE WHEN x.final THEN NULL WHEN r.cancel_requested OR (r.poked AND x.status <> 'paused') THEN now()
        ELSE to_timestamp(x.due_at) END,
    poked = false
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, status text, result jsonb, failure_reason text,
    final boolean, due_at float8)
WHERE r.id = x.run_id AND r.owner = %(owner)s AND r.attempt = x.attempt
"""
# The children of a run that ended badly have nobody to work for.
ABANDON = """
UPDATE orchestration_run SET cancel_requested = true, poked = owner IS NOT NULL,
    due_at = CASE WHEN owner IS NULL THEN now() ELSE due_at END
WHERE parent_id = ANY(%s) AND status IN ('pending', 'running', 'paused')
"""
# In a transaction of its own: children lock their parents only while they hold nothing else.
POKE = """
UPDATE orchestration_run r SET poked = r.owner IS NOT NULL,
    due_at = CASE WHEN r.owner IS NULL THEN now() ELSE r.due_at END
FROM (SELECT id FROM orchestration_run WHERE id = ANY(%s) AND status = 'running' ORDER BY id FOR NO KEY UPDATE) AS p
WHERE r.id = p.id RETURNING r.id
"""

Row = dict[str, Any]


@dataclass(slots=True)
class Entry:
    """What one run wants written at once. `tables` maps a statement to its rows (run_id and attempt are added)."""

    run_id: UUID
    attempt: int
    done: "asyncio.Future[None]"
    tables: dict[str, list[Row]] = field(default_factory=dict)
    settled: list[Row] = field(default_factory=list)
    close: Row | None = None
    parent_id: UUID | None = None
    tells: int = 0  # the last event's seq, for those who follow the run

    def add(self, statement: str, **row: Any) -> None:
        """One more row for this statement."""
        row["run_id"], row["attempt"] = self.run_id, self.attempt
        self.tables.setdefault(statement, []).append(row)


Publish = Callable[[list[Entry], list[UUID]], Awaitable[None]]
ORDER = (STEPS, USAGE, EVENTS, PROGRESS, APPROVALS, TAKEN)


class Journal:
    """The writer of one engine: `write(entry)` returns when that entry is committed, or raises LeaseLost."""

    def __init__(
        self, connect: Callable[[], Awaitable[AsyncConnection]], owner: str, publish: Publish, busy: Callable[[], bool]
    ) -> None:
        self.owner, self.busy = owner, busy
        self.lanes = [Lane(connect, self, publish) for _ in range(LANES)]
        self.transactions = 0

    def write(self, entry: Entry) -> "asyncio.Future[None]":
        """Queue the entry behind the run's earlier ones; the future ends with its commit."""
        self.lanes[entry.run_id.int % len(self.lanes)].put(entry)
        return entry.done

    async def close(self) -> None:
        """Commit what waits, then close the connections."""
        for lane in self.lanes:
            await lane.close()


class Lane:
    """One connection and the entries that wait for it."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection]], journal: Journal, publish: Publish) -> None:
        self.connect, self.journal, self.publish = connect, journal, publish
        self.waiting: deque[Entry] = deque()
        self.bell = asyncio.Event()
        self.connection: AsyncConnection | None = None
        self.closing = False
        self.committed_at = 0.0
        self.task = asyncio.create_task(self._run())

    def put(self, entry: Entry) -> None:
        """Queue an entry."""
        self.waiting.append(entry)
        self.bell.set()

    async def close(self) -> None:
        """Commit what waits and stop."""
        self.closing = True
        self.bell.set()
        await self.task
        if self.connection:
            await self.connection.close()

    async def _run(self) -> None:
        while True:
            await self.bell.wait()
            self.bell.clear()
            while self.waiting:
                if self.journal.busy() and not self.closing:
                    await asyncio.sleep(max(COMMITS_APART_S - (time.monotonic() - self.committed_at), 0))
                self.committed_at = time.monotonic()
                batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), BATCH_MOST))]
                await self._commit(batch)
            if self.closing:
                return

    async def _commit(self, batch: list[Entry]) -> None:
        try:
            held = await self._persist(batch)
        except Exception as fault:  # a lane must outlive whatever one run wants written
            if len(batch) == 1:
                self._fail(batch[0], fault)
                return
            log.warning("a journal batch of %d failed (%s); its runs are written one by one", len(batch), fault)
            for run_id in dict.fromkeys(entry.run_id for entry in batch):
                await self._commit_run([entry for entry in batch if entry.run_id == run_id])
            return
        await self._finish(batch, held)

    async def _commit_run(self, entries: list[Entry]) -> None:
        for at, entry in enumerate(entries):
            try:
                held = await self._persist([entry])
            except Exception as fault:
                for late in entries[at:]:  # a later row without the earlier one would be a gap
                    self._fail(late, fault)
                return
            await self._finish([entry], held)

    def _fail(self, entry: Entry, fault: Exception) -> None:
        log.error("run %s could not be journalled: %s", entry.run_id, fault)
        if not entry.done.done():
            entry.done.set_exception(fault)

    async def _finish(self, batch: list[Entry], held: set[UUID]) -> None:
        """Tell the callers, the followers, and the parents of runs that ended."""
        kept = [entry for entry in batch if entry.run_id in held]
        for entry in batch:
            if entry.done.done():
                continue
            if entry.run_id in held:
                entry.done.set_result(None)
            else:
                entry.done.set_exception(LeaseLost(entry.run_id))
        parents = [entry.parent_id for entry in kept if entry.parent_id and entry.close and entry.close["final"]]
        if parents:
            with contextlib.suppress(psycopg.Error):  # the parent also looks by itself, later
                await self._connected(lambda connection: connection.execute(POKE, [parents]))
        await self.publish(kept, parents)

    async def _persist(self, batch: list[Entry]) -> set[UUID]:
        """The ids of the runs that were ours to write. A lost connection is made again, however long it takes."""
        return await self._connected(lambda connection: self._transaction(connection, batch))

    async def _connected(self, work: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
        for tries in range(10**9):
            try:
                if self.connection is None or self.connection.closed:
                    self.connection = await self.connect()
                return await work(self.connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as fault:
                if isinstance(fault, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
                    continue
                log.warning("the journal lost PostgreSQL, trying again: %s", str(fault).strip().split("\n")[0])
                if self.connection is not None:
                    await self.connection.close()
                await asyncio.sleep(RECONNECT_S[min(tries, len(RECONNECT_S) - 1)])
        raise AssertionError("unreachable")

    async def _transaction(self, connection: AsyncConnection, batch: list[Entry]) -> set[UUID]:
        statements = _statements(batch, self.journal.owner)
        self.journal.transactions += 1
        async with connection.pipeline(), connection.transaction():
            fence = await connection.execute(FENCE, statements.pop(0))
            for statement, values in statements:
                await connection.execute(statement, values)
        return {row[0] for row in await fence.fetchall()}


def _statements(batch: list[Entry], owner: str) -> list[Any]:
    """The fence's values, then (statement, values) in the order in which they lock."""
    runs = [{"run_id": run_id, "attempt": attempt} for run_id, attempt in {(e.run_id, e.attempt) for e in batch}]
    found: list[Any] = [{"runs": _json(runs), "owner": owner}]
    for statement in ORDER:
        rows = [row for entry in batch for row in entry.tables.get(statement, ())]
        if statement is USAGE:
            rows = [row | {"seq": entry.tells} for entry in batch for row in entry.tables.get(USAGE, ())]
        if rows:
            rows = _last_of_each(rows) if statement is STEPS else rows
            found.append((statement, {"rows": _json(rows), "owner": owner}))
    settled = [row for entry in batch for row in entry.settled]
    if settled:
        found.append((budgets.LOCK, [sorted({i for row in settled for i in row["budget_ids"]})]))
        found.append((budgets.SETTLE, {"bills": _json(settled)}))
    closes = [entry.close for entry in batch if entry.close]
    if ended := [close for close in closes if close["final"] and close["limited"]]:
        found.append((RELEASE, {"rows": _json(ended), "owner": owner}))
    if closes:
        found.append((CLOSE, {"rows": _json(closes), "owner": owner}))
        abandoned = [c["run_id"] for c in closes if c["status"] in ("failed", "cancelled")]
        if abandoned:
            found.append((ABANDON, [abandoned]))
    return found


def _last_of_each(rows: list[Row]) -> list[Row]:
    """One statement may touch a row once: of a step that was written twice in one batch the later one counts."""
    return list({(row["run_id"], row["name"]): row for row in rows}.values())


def _json(rows: list[Row]) -> str:
    return orjson.dumps(rows, default=str).decode()
