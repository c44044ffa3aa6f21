"""The journal's statements: fenced by (run, owner, attempt), each taking its rows as one JSON text, in locking order.

What is new is inserted plainly; only what may be there already (a row written before, a batch whose answer was lost)
pays for ON CONFLICT, which writes more WAL.
"""

from typing import Any

import orjson

from config.values.foreign_json import clean_text
from governance.budgets import reservations
from orchestration.program.journal_entry import Entry, Row, Table

# IS TRUE keeps the planner from the index of owners: it would walk all that this engine holds, once for each row.
_OURS = "r.id = x.run_id AND (r.owner = %(owner)s) IS TRUE AND r.attempt = x.attempt"
_HELD = f"JOIN orchestration_run r ON {_OURS}"
FENCE = f"""
SELECT r.id FROM json_to_recordset(%(runs)s::json) AS x(run_id uuid, attempt int) {_HELD}
ORDER BY r.id FOR NO KEY UPDATE OF r
"""
NEW_STEPS = f"""
INSERT INTO orchestration_step (run_id, name, tenant_id, position, node_id, type, status, input, output, error, tries,
    retry_at, started_at, finished_at)
SELECT x.run_id, x.name, r.tenant_id, x.position, x.node_id, x.type, x.status, x.input, x.output, x.error, x.tries,
    to_timestamp(x.retry_at), to_timestamp(x.started_at), to_timestamp(x.finished_at)
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, name text, position int, node_id text, type text,
    status text, input jsonb, output json, error jsonb, tries int, retry_at float8, started_at float8,
    finished_at float8)
{_HELD}
"""
STEPS = f"""{NEW_STEPS}
ON CONFLICT (run_id, name) DO UPDATE SET status = excluded.status, input = excluded.input, output = excluded.output,
    error = excluded.error, tries = excluded.tries, retry_at = excluded.retry_at, finished_at = excluded.finished_at
WHERE orchestration_step.status NOT IN ('completed', 'skipped')
"""
NEW_EVENTS = f"""
INSERT INTO orchestration_runevent (run_id, seq, tenant_id, kind, step, payload, ts)
SELECT x.run_id, x.seq, r.tenant_id, x.kind, x.step, x.payload, to_timestamp(x.ts)
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, seq int, kind text, step text, payload jsonb,
    ts float8)
{_HELD}
"""
EVENTS = f"{NEW_EVENTS} ON CONFLICT (run_id, seq) DO NOTHING"
# A finished step is progress: the workers that died with the run before it no longer count against it.
PROGRESS = f"""
UPDATE orchestration_run t SET deaths = 0, held_against = 0, suspect_deaths = 0
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
INSERT INTO orchestration_approval (id, run_id, tenant_id, step, node_id, message, role, expires_at, comment, kind,
    tool_id, arguments, digest, policy_id, four_eyes)
SELECT gen_random_uuid(), x.run_id, r.tenant_id, x.step, x.node_id, x.message, x.role, to_timestamp(x.expires_at), '',
    x.kind, x.tool_id, x.arguments, x.digest, x.policy_id, x.four_eyes
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, step text, node_id text, message text, role text,
    expires_at float8, kind text, tool_id text, arguments jsonb, digest text, policy_id uuid, four_eyes boolean)
{_HELD}
ON CONFLICT (run_id, step) DO NOTHING
"""
TOLD = f"""
UPDATE orchestration_approval a SET told = true
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, step text) {_HELD}
WHERE a.run_id = r.id AND a.step = x.step
"""
EXECUTED = f"""
UPDATE orchestration_approval a SET executed_at = now()
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, step text) {_HELD}
WHERE a.run_id = r.id AND a.step = x.step AND a.executed_at IS NULL
"""
DECISIONS = f"""
INSERT INTO governance_policydecision (tenant_id, action, run_id, step, result, policy_id, explanation, matched,
    shadowed, modified, context)
SELECT r.tenant_id, x.action, r.id, x.step, x.result, x.policy_id, x.explanation, x.matched, x.shadowed, x.modified,
    x.context
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, action text, step text, result text,
    policy_id uuid, explanation text, matched jsonb, shadowed jsonb, modified jsonb, context jsonb)
{_HELD}
"""
# The record of a start: who asked for it, and, where no policy had anything to say, that (the request that started it
# has kept what the others said). Before the events, by which it shows that it was written.
BEGUN = f"""
WITH begun AS (
    SELECT r.*, x.context FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, context jsonb) {_HELD}
    WHERE NOT EXISTS (SELECT FROM orchestration_runevent e WHERE e.run_id = r.id)
), decided AS (
    INSERT INTO governance_policydecision (tenant_id, action, run_id, step, result, explanation, matched, shadowed,
        modified, context)
    SELECT tenant_id, 'run_start', id, '', 'allowed', 'No policy applies.', '[]', '[]', '{{}}', context
    FROM begun WHERE context IS NOT NULL
)
INSERT INTO governance_auditentry (tenant_id, user_id, on_behalf_of, agent_id, key_id, action, resource_type,
    resource_id, ip_address, user_agent, trace_id)
SELECT tenant_id, created_by, on_behalf_of, CASE WHEN kind = 'conversation' THEN subject_id ELSE '' END,
    (origin ->> 'key_id')::uuid, 'run_start', 'run', id, coalesce(origin ->> 'ip_address', ''),
    coalesce(origin ->> 'user_agent', ''), trace_id
FROM begun
"""
ENDED = f"""
INSERT INTO governance_auditentry (tenant_id, user_id, on_behalf_of, agent_id, key_id, action, resource_type,
    resource_id, after, trace_id)
SELECT r.tenant_id, r.created_by, r.on_behalf_of, CASE WHEN r.kind = 'conversation' THEN r.subject_id ELSE '' END,
    (r.origin ->> 'key_id')::uuid, CASE x.status WHEN 'completed' THEN 'run_complete' ELSE 'run_' || x.status END,
    'run', r.id,
    jsonb_strip_nulls(jsonb_build_object('status', x.status, 'failure_reason', nullif(x.failure_reason, ''))),
    r.trace_id
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, status text, failure_reason text) {_HELD}
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
CLOSE = f"""
UPDATE orchestration_run r
SET status = x.status, result = x.result, failure_reason = x.failure_reason, owner = NULL, updated_at = now(),
    finished_at = CASE WHEN x.final THEN now() END,
    due_at = CASE WHEN x.final THEN NULL WHEN r.cancel_requested OR (r.poked AND x.status <> 'paused') THEN now()
        ELSE to_timestamp(x.due_at) END,
    poked = false
FROM json_to_recordset(%(rows)s::json) AS x(run_id uuid, attempt int, status text, result json, failure_reason text,
    final boolean, due_at float8)
WHERE {_OURS}
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

STATEMENTS: dict[Table, str] = {  # in the order of their locks
    "starts": BEGUN,
    "steps": STEPS,
    "usage": USAGE,
    "events": EVENTS,
    "progress": PROGRESS,
    "approvals": APPROVALS,
    "approval_events": TOLD,
    "approved_calls": EXECUTED,
    "decisions": DECISIONS,
    "signals": TAKEN,
}
PLAIN_INSERTS: dict[Table, str] = {"steps": NEW_STEPS, "events": NEW_EVENTS}
END_COLUMNS = ("run_id", "attempt", "status", "failure_reason")


def statements(batch: list[Entry], owner: str, again: bool) -> list[tuple[str, Any]]:
    """(statement, values) of the batch, the fence first. `again`: some of it may have been written before."""
    runs = [{"run_id": run_id, "attempt": attempt} for run_id, attempt in {(e.run_id, e.attempt) for e in batch}]
    calls: list[tuple[str, Any]] = [(FENCE, {"runs": _json(runs), "owner": owner})]
    for table, statement in STATEMENTS.items():
        rows = [row for entry in batch for row in entry.tables.get(table, ())]
        if table == "usage":
            rows = [row | {"seq": entry.last_seq} for entry in batch for row in entry.tables.get("usage", ())]
        if table == "steps":
            rows = _last_of_each(rows)
        if table in PLAIN_INSERTS and not again:
            new = [row for row in rows if row.get("new", True)]
            rows = [row for row in rows if not row.get("new", True)]
            if new:
                calls.append((PLAIN_INSERTS[table], {"rows": _json(new), "owner": owner}))
        if rows:
            calls.append((statement, {"rows": _json(rows), "owner": owner}))
    return calls + _endings(batch, owner)


def _endings(batch: list[Entry], owner: str) -> list[tuple[str, Any]]:
    """Settled calls, then the runs that end or are put down."""
    calls: list[tuple[str, Any]] = []
    bills = [row for entry in batch for row in entry.bills]
    if bills:
        calls.append((reservations.LOCK, {"ids": sorted({i for row in bills for i in row["budget_ids"]})}))
        calls.append((reservations.SETTLE, {"bills": _json(bills)}))
    closes = [entry.close for entry in batch if entry.close]
    if reserved := [close for close in closes if close["final"] and close["has_limits"]]:
        calls.append((RELEASE, {"rows": _json(reserved), "owner": owner}))
    if final := [{name: close[name] for name in END_COLUMNS} for close in closes if close["final"]]:
        calls.append((ENDED, {"rows": _json(final), "owner": owner}))
    if closes:
        calls.append((CLOSE, {"rows": _json(closes), "owner": owner}))
        parents = [c["run_id"] for c in closes if c["status"] in ("failed", "cancelled")]
        if parents:
            calls.append((ABANDON, [parents]))
    return calls


def _last_of_each(rows: list[Row]) -> list[Row]:
    """One statement may touch a row once: of a step that was written twice in one batch the later one counts."""
    return list({(row["run_id"], row["name"]): row for row in rows}.values())


def _json(rows: list[Row]) -> str:
    """The rows' JSON. Their JSON columns are clean (fragments.py); texts beside them are cleaned where need be, for
    what PostgreSQL refuses would end the run, and what it has done would be done again.
    """
    try:
        text = orjson.dumps(rows, default=str)
        if b"\\u0000" not in text:
            return text.decode()
    except TypeError:  # half a character
        pass
    clean = [
        {key: clean_text(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
    ]
    return orjson.dumps(clean, default=str).decode()
