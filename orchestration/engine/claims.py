"""The hot SQL of queue and lease: fair claim, heartbeat, sweep, and what a run finds waiting for it (journal.py has
the writes).

A run is claimable while `owner` is null and `due_at` has come. Its lease is its engine's row: an engine whose row has
expired, or whose session advisory lock is gone from the same PostgreSQL, is dead, and its runs go back to the queue.
"""

import json
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from orchestration.engine.journal.connection import EngineConnection
from orchestration.engine.journal.connections import replan
from orchestration.program.run_info import ALONE_DEATHS, SUSPECT_DEATHS, Inbox, RunInfo, StepRecord

LOCK_CLASS = 0x52454745  # "REGE": the first half of every lock key of ours
CLAIM_LOCK = 1
ROOM_S = 2  # a suspect that waits for longer is not waited for by the solitary engines that are there
# When all engines die at once it tells nothing about a run: a machine was switched off, a worker killed. Only one that
# was there so often without finishing a step is taken for a suspect all the same.
MAX_SHARED_DEATHS = 10
REMEMBERED_DAYS = 30

# One claim at a time, so that caps are exact; it takes about a millisecond. Runs are looked up by their keys in forms
# that leave no other way: the plan is kept for a while, and a join that was planned while the table was nearly empty
# reads all of it for each row.
SERIALISE = f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {CLAIM_LOCK})"
BY_USER = "task"  # the kind of which each user may have only so many under way; the rest wait (RULINGS §10)
_RANK = "(r.due_at AT TIME ZONE 'UTC') - r.priority * interval '30 seconds'"
_COLUMNS = f"r.id, r.tenant_id, r.kind, {_RANK} AS rank"
# Of a run that was cancelled, or is given up, only the end is left to write.
_HELD_AGAINST = f"r.held_against + (r.suspect_deaths >= {ALONE_DEATHS})::int"  # see own_deaths
_SUSPECT = f"r.suspect_deaths >= {SUSPECT_DEATHS} AND {_HELD_AGAINST} < %(max_deaths)s AND NOT r.cancel_requested"
_WAITING_TASK = f"r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id = t.id AND r.kind = '{BY_USER}'"
_CLAIMABLE = f"r.owner IS NULL AND r.due_at <= now() AND r.tenant_id = t.id AND NOT ({_SUSPECT})"
_TAKE = """UPDATE orchestration_run r
SET owner = %(owner)s, attempt = r.attempt + 1, status = 'running', poked = false, updated_at = now(),
    started_at = coalesce(r.started_at, now()),
    deadline_at = coalesce(r.deadline_at, now() + r.latency_limit_ms * interval '1 millisecond')"""
CLAIM = f"""
WITH RECURSIVE waiting AS (  -- the tenants that have something in the queue, by jumping along the index
    (SELECT tenant_id FROM orchestration_run WHERE owner IS NULL AND due_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tenant_id FROM orchestration_run r
            WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id > w.tenant_id ORDER BY r.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
), live AS (  -- counted from the leases themselves: a counter of its own could leak
    SELECT tenant_id, kind, count(*) AS n FROM orchestration_run WHERE owner IS NOT NULL GROUP BY tenant_id, kind
), tenants AS (
    SELECT t.id, greatest(t.weight, 1) AS weight, coalesce(t.max_running, nullif(%(tenant_cap)s, 0)) AS cap,
           coalesce((SELECT sum(n) FROM live l WHERE l.tenant_id = t.id), 0) AS running
    FROM waiting w JOIN accounts_tenant t ON t.id = w.tenant_id AND NOT t.suspended
), candidates AS (
    SELECT c.*, t.weight, t.cap, t.running,
           coalesce((SELECT n FROM live l WHERE l.tenant_id = t.id AND l.kind = c.kind), 0) AS running_of_kind,
           row_number() OVER (PARTITION BY t.id ORDER BY c.rank) AS nth,
           row_number() OVER (PARTITION BY t.id, c.kind ORDER BY c.rank) AS nth_of_kind
    FROM tenants t CROSS JOIN LATERAL (
        (SELECT {_COLUMNS} FROM orchestration_run r
        WHERE {_CLAIMABLE} AND r.kind <> '{BY_USER}' ORDER BY {_RANK} LIMIT %(most)s)
        UNION ALL  -- apart, so that those of a user who has enough of them under way stand in nobody's way
        (WITH RECURSIVE askers AS (  -- whose wait, by jumping along the index
            (SELECT r.created_by FROM orchestration_run r WHERE {_WAITING_TASK} ORDER BY r.created_by LIMIT 1)
            UNION ALL
            SELECT (SELECT r.created_by FROM orchestration_run r
                    WHERE {_WAITING_TASK} AND r.created_by > a.created_by ORDER BY r.created_by LIMIT 1)
            FROM askers a WHERE a.created_by IS NOT NULL
        ), begun AS (
            SELECT created_by, count(*) AS n FROM orchestration_run
            WHERE tenant_id = t.id AND kind = '{BY_USER}' AND status IN ('running', 'paused') GROUP BY created_by
        )
        SELECT q.* FROM askers a LEFT JOIN begun b USING (created_by) CROSS JOIN LATERAL (
            (SELECT {_COLUMNS} FROM orchestration_run r
            WHERE {_WAITING_TASK} AND r.due_at <= now() AND r.created_by = a.created_by AND r.status <> 'pending'
            AND NOT ({_SUSPECT}))
            UNION ALL
            (SELECT {_COLUMNS} FROM orchestration_run r
            WHERE {_WAITING_TASK} AND r.due_at <= now() AND r.created_by = a.created_by AND r.status = 'pending'
            ORDER BY {_RANK} LIMIT greatest(%(user_cap)s - coalesce(b.n, 0), 0))
        ) q WHERE a.created_by IS NOT NULL)
    ) c
), fair AS (  -- each tenant's next run is weighed by what the tenant already has running
    SELECT c.id FROM candidates c
    WHERE (c.cap IS NULL OR c.running + c.nth <= c.cap)
      AND coalesce(c.running_of_kind + c.nth_of_kind <= (%(kind_caps)s::jsonb ->> c.kind)::int, true)
    ORDER BY (c.running + c.nth)::float / c.weight, c.rank LIMIT %(most)s
), picked AS (
    SELECT locked.* FROM fair CROSS JOIN LATERAL (
        SELECT r.id, r.status <> 'pending' OR r.poked AS known FROM orchestration_run r
        -- Asked again of the row as it is once we have its lock: it may have been cancelled since the queue was looked
        -- at. IS TRUE keeps the planner from the queue's index: it would walk the whole queue once for each row.
        WHERE r.id = fair.id AND (r.owner IS NULL AND r.due_at <= now()) IS TRUE FOR NO KEY UPDATE OF r SKIP LOCKED
    ) AS locked
), taken AS (
    SELECT array_agg(id) AS ids, array_agg(id) FILTER (WHERE known) AS known FROM picked
)
{_TAKE}
WHERE r.id = ANY ((SELECT ids FROM taken)::uuid[])
RETURNING r.id, r.attempt > 1 OR r.id = ANY (coalesce((SELECT known FROM taken), '{{}}')) AS known
"""
# Suspects, within their tenants' caps as CLAIM has them: those that may run together, or (`alone`) those that may not.
# Nobody joins a group while one waits that must run alone: it would wait for ever.
CLAIM_SUSPECTS = f"""
WITH candidates AS (
    SELECT r.id, r.held_against, r.due_at,
        coalesce(t.max_running, nullif(%(tenant_cap)s, 0), 2147483647) AS cap,
        (SELECT count(*) FROM orchestration_run l WHERE l.owner IS NOT NULL AND l.tenant_id = r.tenant_id)
            + row_number() OVER (PARTITION BY r.tenant_id ORDER BY r.held_against, r.due_at) AS nth,
        coalesce((%(kind_caps)s::jsonb ->> r.kind)::int, 2147483647) AS kind_cap,
        (SELECT count(*) FROM orchestration_run l
         WHERE l.owner IS NOT NULL AND l.tenant_id = r.tenant_id AND l.kind = r.kind)
            + row_number() OVER (PARTITION BY r.tenant_id, r.kind ORDER BY r.held_against, r.due_at) AS nth_of_kind
    FROM orchestration_run r JOIN accounts_tenant t ON t.id = r.tenant_id AND NOT t.suspended
    WHERE r.owner IS NULL AND r.due_at <= now() AND {_SUSPECT} AND (r.suspect_deaths >= {ALONE_DEATHS}) = %(alone)s
      AND (%(alone)s OR NOT EXISTS (
        SELECT FROM orchestration_run r WHERE r.owner IS NULL AND r.due_at <= now() AND {_SUSPECT}
        AND r.suspect_deaths >= {ALONE_DEATHS}))
), picked AS (
    SELECT locked.id FROM (
        SELECT id FROM candidates WHERE nth <= cap AND nth_of_kind <= kind_cap
        ORDER BY held_against, due_at LIMIT %(most)s
    ) AS c CROSS JOIN LATERAL (
        SELECT r.id FROM orchestration_run r
        WHERE r.id = c.id AND (r.owner IS NULL AND r.due_at <= now()) IS TRUE FOR NO KEY UPDATE OF r SKIP LOCKED
    ) AS locked
)
{_TAKE}
WHERE r.id = ANY (ARRAY(SELECT id FROM picked)) RETURNING r.id, true AS known
"""
# Whether a suspect waits that no solitary engine is there for, or that those which are there have no room for.
SUSPECTS_WAIT = f"""
SELECT EXISTS (
    SELECT FROM orchestration_run r WHERE r.owner IS NULL AND {_SUSPECT} AND r.due_at <= now() - CASE WHEN EXISTS (
        SELECT FROM orchestration_engine WHERE solitary AND NOT draining AND lease_until > now()
    ) THEN interval '{ROOM_S} seconds' ELSE interval '0' END
) AS wait
"""
# Read once the lock is free again: inputs may be large, and take as long as we take to read them.
CLAIMED = """
SELECT r.id, r.tenant_id, r.kind, r.subject_id, r.subject_version, r.mode, r.input, r.created_by, r.on_behalf_of,
    r.app_id, r.app_action_id, r.trigger, r.origin, r.policy, r.trace_id, r.parent_id, r.depth, r.attempt, r.deaths,
    r.held_against, r.suspect_deaths, r.cancel_requested, r.deadline_at, r.budget_ids, r.created_at
FROM orchestration_run r WHERE r.id = ANY(%s) AND (r.owner = %s) IS TRUE
"""
STEPS = """
SELECT run_id, name, position, status, output, error, tries, retry_at
FROM orchestration_step WHERE run_id = ANY(%s)
"""
LAST_SEQ = """
SELECT run_id, max(seq) AS seq,
    coalesce(array_agg(DISTINCT step) FILTER (WHERE kind = 'step_started'), '{}') AS started_steps
FROM orchestration_runevent WHERE run_id = ANY(%s) GROUP BY run_id
"""
SIGNALS = (
    "SELECT id, run_id, name, payload FROM orchestration_signal WHERE run_id = ANY(%s) AND taken_by = '' ORDER BY id"
)
APPROVALS = """
SELECT run_id, id::text, step, approved, comment, edited, decided_by::text, told, expires_at
FROM orchestration_approval WHERE run_id = ANY(%s)
"""
CHILDREN = """
SELECT id, parent_id, parent_step, status, result, failure_reason, started_at, finished_at FROM orchestration_run
WHERE parent_id = ANY(%s) AND status IN ('completed', 'failed', 'cancelled')
"""
POKED = """
UPDATE orchestration_run SET poked = false WHERE owner = %s AND poked RETURNING id, cancel_requested
"""

REGISTER = """
INSERT INTO orchestration_engine (owner, lock_key, host, pid, worker, solitary, slots, running, draining, lease_until)
VALUES (%(owner)s, %(key)s, %(host)s, %(pid)s, %(worker)s, %(solitary)s, %(slots)s, 0, false,
    now() + %(lease)s * interval '1 second')
ON CONFLICT (owner) DO UPDATE SET locked_at = now(), lock_key = excluded.lock_key, lease_until = excluded.lease_until
"""
BEAT = """
UPDATE orchestration_engine SET lease_until = now() + %(lease)s * interval '1 second', running = %(running)s,
    draining = %(draining)s
WHERE owner = %(owner)s
"""
# An engine is dead when its lease is over, or when the lock that it took in this life of the server is held no more. A
# server that has just started gives all engines a lease's time to come back.
SWEEP = f"""
WITH dead AS (
    DELETE FROM orchestration_engine e
    WHERE (e.lease_until < now() AND pg_postmaster_start_time() < now() - %(lease)s * interval '1 second') OR (
        e.locked_at > pg_postmaster_start_time() AND NOT EXISTS (
            SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.classid = {LOCK_CLASS}::oid AND l.objid = e.lock_key::oid))
    RETURNING e.owner, e.host, e.pid, e.worker, e.solitary, e.lease_until
), noted AS (
    INSERT INTO orchestration_enginedeath (owner, host, pid, at) SELECT owner, host, pid, now() FROM dead
), forgotten AS (
    DELETE FROM orchestration_enginedeath
    WHERE EXISTS (SELECT FROM dead) AND at < now() - {REMEMBERED_DAYS} * interval '1 day'
), held AS (  -- how many runs each of them had, and whether others lived on: of its worker, or from before its last
    SELECT d.owner, d.solitary, count(r.id) AS n, sum(count(r.id)) OVER () AS n_all, EXISTS ( -- heartbeat
        SELECT FROM orchestration_engine l WHERE NOT l.solitary AND l.owner NOT IN (SELECT owner FROM dead)
        AND (l.worker = nullif(d.worker, '') OR l.started_at <= d.lease_until - %(lease)s * interval '1 second')
    ) AS others_live
    FROM dead d LEFT JOIN orchestration_run r ON r.owner = d.owner
    GROUP BY d.owner, d.solitary, d.worker, d.lease_until
), left_behind AS (
    SELECT r.id, r.owner FROM orchestration_run r
    WHERE r.owner IS NOT NULL AND (r.owner IN (SELECT owner FROM dead)
        OR NOT EXISTS (SELECT FROM orchestration_engine e WHERE e.owner = r.owner))
    FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE orchestration_run r SET owner = NULL, deaths = r.deaths + 1, updated_at = now(), due_at = now(),
    suspect_deaths = greatest(r.suspect_deaths + coalesce(held.others_live, false)::int,
        CASE WHEN r.deaths + 1 >= {MAX_SHARED_DEATHS} THEN {SUSPECT_DEATHS} ELSE 0 END),
    -- It ran alone: in the process of suspects, or as the only run of all that died at this moment.
    held_against = r.held_against
        + coalesce(held.n_all = 1 OR (held.n = 1 AND (held.solitary OR held.others_live)), false)::int
FROM left_behind LEFT JOIN held ON held.owner = left_behind.owner WHERE r.id = left_behind.id RETURNING r.id
"""
# Engines whose lock is gone have died, whatever their rows say.
ORPHANED = f"""
SELECT EXISTS (SELECT FROM orchestration_run WHERE owner IS NOT NULL) AND NOT EXISTS (
    SELECT FROM orchestration_engine e JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid = {LOCK_CLASS}::oid AND l.objid = e.lock_key::oid)
"""
GIVE_BACK = "UPDATE orchestration_run SET owner = NULL, due_at = now() WHERE owner = %s RETURNING id"
# An answer that was lost may have been a claim's: what we own without knowing it goes back to the queue; asked at each
# heartbeat: such a claim may be committed late, after our new connection has asked for the first time.
RECONCILE = """
UPDATE orchestration_run r SET owner = NULL, due_at = now(), updated_at = now()
WHERE r.owner = %(owner)s AND r.id <> ALL(%(broken)s) AND NOT EXISTS (
    SELECT FROM json_to_recordset(%(held)s::json) AS x(id uuid, attempt int)
    WHERE x.id = r.id AND x.attempt = r.attempt)
"""
# We are alive: whoever took our runs because our connection had broken counted a death that was none.
ALIVE = """
UPDATE orchestration_run r SET deaths = r.deaths - 1, held_against = greatest(r.held_against - 1, 0),
    suspect_deaths = greatest(r.suspect_deaths - 1, 0)
FROM json_to_recordset(%(held)s::json) AS x(id uuid, attempt int)
WHERE r.id = x.id AND r.owner IS DISTINCT FROM %(owner)s AND r.deaths > 0
"""
# It may have been a poke's too: look at everything that we hold once more.
REPOKE = "UPDATE orchestration_run SET poked = true WHERE owner = %s"
BROKEN = """
UPDATE orchestration_run SET owner = NULL, due_at = now(), deaths = deaths + 1, held_against = held_against + 1
WHERE owner = %s AND id = ANY(%s)
"""
UNREGISTER = "DELETE FROM orchestration_engine WHERE owner = %s"


@dataclass(frozen=True)
class ClaimLimits:
    """How much to claim, and the caps."""

    most: int
    tenant_cap: int
    kind_caps: dict[str, int]
    max_deaths: int  # alone, after which a run is given up
    user_cap: int = 5  # of the kind BY_USER
    solitary: bool = False  # suspects, and nothing else
    alone: bool = False  # of them those with which no other may run


async def claim(connection: EngineConnection, owner: str, limits: ClaimLimits) -> list[RunInfo]:
    """The runs that this owner now holds, fairly chosen, each with what was recorded of it before."""
    values = {
        "owner": owner,
        "most": limits.most,
        "tenant_cap": limits.tenant_cap,
        "kind_caps": json.dumps(limits.kind_caps),
        "max_deaths": limits.max_deaths,
        "user_cap": limits.user_cap,
        "alone": limits.alone,
    }
    statement = CLAIM_SUSPECTS if limits.solitary else CLAIM
    chosen = (await connection.execute_transaction([*replan(connection), (SERIALISE, []), (statement, values)]))[-1]
    taken = {row["id"]: row["known"] for row in chosen}
    if not taken:
        return []
    # After the commit: nobody else writes to what is ours, and who sends something to it pokes it.
    rows = (await connection.execute_transaction([(CLAIMED, [list(taken), owner])]))[0]
    runs = [RunInfo(**row) for row in rows]
    known = {run.id: run for run in runs if taken[run.id]}
    if known:
        await _load_history(connection, known)
    return runs


async def _load_history(connection: AsyncConnection, runs: dict[UUID, RunInfo]) -> None:
    """Fill in steps, last seq and inbox of runs that have lived before."""
    ids = [list(runs)]
    async with connection.cursor(row_factory=dict_row) as cursor:
        for row in await (await cursor.execute(STEPS, ids)).fetchall():
            run, name = runs[row.pop("run_id")], row.pop("name")
            run.steps[name] = StepRecord(**row)
        for row in await (await cursor.execute(LAST_SEQ, ids)).fetchall():
            runs[row["run_id"]].last_seq, runs[row["run_id"]].started_steps = row["seq"], set(row["started_steps"])
    for run_id, inbox in (await load_inboxes(connection, list(runs))).items():
        runs[run_id].inbox = inbox


async def load_inboxes(connection: AsyncConnection, ids: list[UUID]) -> dict[UUID, Inbox]:
    """What waits for each of these runs."""
    found = {run_id: Inbox() for run_id in ids}
    async with connection.cursor(row_factory=dict_row) as cursor:
        for row in await (await cursor.execute(SIGNALS, [ids])).fetchall():
            found[row.pop("run_id")].signals.append(row)
        for row in await (await cursor.execute(APPROVALS, [ids])).fetchall():
            found[row.pop("run_id")].approvals[row["step"]] = row
        for row in await (await cursor.execute(CHILDREN, [ids])).fetchall():
            found[row["parent_id"]].children[row["parent_step"]] = row
    return found
