-- The journal's statements: fenced by (run, owner, attempt), each taking its rows as one JSON text, in locking order.
--
-- IS TRUE keeps the planner from the index of owners: it would walk all that this engine holds, once for each row. What
-- is new is inserted plainly; only what may be there already (a row written before, a batch whose answer was lost) pays
-- for ON CONFLICT, which writes more WAL.
--
-- psql -f runs this file with these samples:
\set owner 'nobody'
\set runs '[]'
\set rows '[]'

-- name: fence
-- Locks the runs that are ours to write.
SELECT r.id FROM json_to_recordset(:'runs'::json) AS x(run_id uuid, attempt int)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
ORDER BY r.id FOR NO KEY UPDATE OF r;

-- name: record_starts
-- The record of a start: who asked for it, and, where no policy applied, that (what a policy decided was recorded by the
-- request that started the run). Before the events, by which it shows that it was written.
WITH starts AS (
    SELECT r.*, x.context, x.agent_id
    FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, context jsonb, agent_id text)
    JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
    WHERE NOT EXISTS (SELECT FROM orchestration_runevent e WHERE e.run_id = r.id)
), decisions AS (
    INSERT INTO governance_policydecision (tenant_id, action, run_id, step, result, explanation, matched, shadowed,
        modified, context)
    SELECT tenant_id, 'run_start', id, '', 'allowed', 'No policy applies.', '[]', '[]', '{}', context
    FROM starts WHERE context IS NOT NULL
)
INSERT INTO governance_auditentry (tenant_id, user_id, on_behalf_of, agent_id, key_id, action, resource_type,
    resource_id, ip_address, user_agent, trace_id)
SELECT tenant_id, created_by, on_behalf_of, agent_id,
    (origin ->> 'key_id')::uuid, 'run_start', 'run', id, coalesce(origin ->> 'ip_address', ''),
    coalesce(origin ->> 'user_agent', ''), trace_id
FROM starts;

-- name: insert_steps
-- Steps that are new.
INSERT INTO orchestration_step (run_id, name, tenant_id, position, node_id, type, status, input, output, error, tries,
    retry_at, started_at, finished_at)
SELECT x.run_id, x.name, r.tenant_id, x.position, x.node_id, x.type, x.status, x.input, x.output, x.error, x.tries,
    to_timestamp(x.retry_at), to_timestamp(x.started_at), to_timestamp(x.finished_at)
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, name text, position int, node_id text, type text,
    status text, input jsonb, output json, error jsonb, tries int, retry_at float8, started_at float8,
    finished_at float8)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt;

-- name: write_steps
-- Steps that may be there; what is recorded as done stays.
INSERT INTO orchestration_step (run_id, name, tenant_id, position, node_id, type, status, input, output, error, tries,
    retry_at, started_at, finished_at)
SELECT x.run_id, x.name, r.tenant_id, x.position, x.node_id, x.type, x.status, x.input, x.output, x.error, x.tries,
    to_timestamp(x.retry_at), to_timestamp(x.started_at), to_timestamp(x.finished_at)
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, name text, position int, node_id text, type text,
    status text, input jsonb, output json, error jsonb, tries int, retry_at float8, started_at float8,
    finished_at float8)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
ON CONFLICT (run_id, name) DO UPDATE SET status = excluded.status, input = excluded.input, output = excluded.output,
    error = excluded.error, tries = excluded.tries, retry_at = excluded.retry_at, finished_at = excluded.finished_at
WHERE orchestration_step.status NOT IN ('completed', 'skipped');

-- name: add_usage
-- Not idempotent by itself: what was committed without our learning of it shows by its events, and is not added again.
UPDATE orchestration_run t SET cost_micro = t.cost_micro + x.micro, llm_calls = t.llm_calls + x.calls,
    prompt_tokens = t.prompt_tokens + x.prompt, completion_tokens = t.completion_tokens + x.completion
FROM (SELECT run_id, attempt, sum(micro) AS micro, sum(calls) AS calls, sum(prompt) AS prompt,
          sum(completion) AS completion
      FROM json_to_recordset(:'rows'::json) AS b(run_id uuid, attempt int, micro bigint, calls int, prompt bigint,
      completion bigint, seq int)
      WHERE NOT EXISTS (SELECT FROM orchestration_runevent e WHERE e.run_id = b.run_id AND e.seq = b.seq)
      GROUP BY run_id, attempt) AS x
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
WHERE t.id = r.id;

-- name: insert_events
-- Events that are new.
INSERT INTO orchestration_runevent (run_id, seq, tenant_id, kind, step, payload, ts)
SELECT x.run_id, x.seq, r.tenant_id, x.kind, x.step, x.payload, to_timestamp(x.ts)
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, seq int, kind text, step text, payload jsonb,
    ts float8)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt;

-- name: write_events
-- Events that may be there.
INSERT INTO orchestration_runevent (run_id, seq, tenant_id, kind, step, payload, ts)
SELECT x.run_id, x.seq, r.tenant_id, x.kind, x.step, x.payload, to_timestamp(x.ts)
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, seq int, kind text, step text, payload jsonb,
    ts float8)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
ON CONFLICT (run_id, seq) DO NOTHING;

-- name: reset_deaths
-- A finished step is progress: the workers that died with the run before it no longer count against it.
UPDATE orchestration_run t SET deaths = 0, held_against = 0, suspect_deaths = 0
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
WHERE t.id = r.id AND t.deaths > 0;

-- name: write_approvals
-- Questions to people.
INSERT INTO orchestration_approval (id, run_id, tenant_id, step, node_id, message, role, expires_at, comment, kind,
    tool_id, arguments, digest, policy_id, four_eyes)
SELECT gen_random_uuid(), x.run_id, r.tenant_id, x.step, x.node_id, x.message, x.role, to_timestamp(x.expires_at), '',
    x.kind, x.tool_id, x.arguments, x.digest, x.policy_id, x.four_eyes
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, step text, node_id text, message text, role text,
    expires_at float8, kind text, tool_id text, arguments jsonb, digest text, policy_id uuid, four_eyes boolean)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
ON CONFLICT (run_id, step) DO NOTHING;

-- name: mark_approval_events
-- Answers whose event the run has written itself, because they came while it was held.
UPDATE orchestration_approval a SET is_recorded = true
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, step text)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
WHERE a.run_id = r.id AND a.step = x.step;

-- name: mark_approved_calls
-- Calls that an approval was given for and that have been made: it is used up.
UPDATE orchestration_approval a SET executed_at = now()
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, step text)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
WHERE a.run_id = r.id AND a.step = x.step AND a.executed_at IS NULL;

-- name: insert_decisions
-- What policies have decided.
INSERT INTO governance_policydecision (tenant_id, action, run_id, step, result, policy_id, explanation, matched,
    shadowed, modified, context)
SELECT r.tenant_id, x.action, r.id, x.step, x.result, x.policy_id, x.explanation, x.matched, x.shadowed, x.modified,
    x.context
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, action text, step text, result text,
    policy_id uuid, explanation text, matched jsonb, shadowed jsonb, modified jsonb, context jsonb)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt;

-- name: take_signals
-- Events that a wait has taken.
UPDATE orchestration_signal s SET taken_by = x.step
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, signal bigint, step text)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
WHERE s.id = x.signal;

-- name: release_holds
-- A run that ends leaves nothing reserved, whatever became of the calls that it was reserved for.
WITH released AS (
    DELETE FROM governance_hold h
    USING (
        SELECT r.id FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int)
        JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt
    ) AS runs
    WHERE h.run_id = runs.id RETURNING h.budget_ids, h.micro, h.calls
), totals AS (
    SELECT budget_id, sum(micro) AS micro, sum(calls) AS calls
    FROM released, unnest(released.budget_ids) AS budget_id GROUP BY budget_id
)
UPDATE governance_budget b SET held_micro = b.held_micro - m.micro, held_calls = b.held_calls - m.calls
FROM totals m WHERE b.id = m.budget_id;

-- name: record_ends
-- Runs that are over, in the audit log.
INSERT INTO governance_auditentry (tenant_id, user_id, on_behalf_of, agent_id, key_id, action, resource_type,
    resource_id, after, trace_id)
SELECT r.tenant_id, r.created_by, r.on_behalf_of, x.agent_id,
    (r.origin ->> 'key_id')::uuid, CASE x.status WHEN 'completed' THEN 'run_complete' ELSE 'run_' || x.status END,
    'run', r.id,
    jsonb_strip_nulls(jsonb_build_object('status', x.status, 'failure_reason', nullif(x.failure_reason, ''))),
    r.trace_id
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, status text, failure_reason text,
    agent_id text)
JOIN orchestration_run r ON r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt;

-- name: close_runs
-- The end of a run, or that it is put down: due when its first wait looks again, or at once when something has come.
UPDATE orchestration_run r
SET status = x.status, result = x.result, failure_reason = x.failure_reason, owner = NULL, updated_at = now(),
    finished_at = CASE WHEN x.final THEN now() END,
    due_at = CASE WHEN x.final THEN NULL WHEN r.cancel_requested OR (r.is_notified AND x.status <> 'paused') THEN now()
        ELSE to_timestamp(x.due_at) END,
    is_notified = false
FROM json_to_recordset(:'rows'::json) AS x(run_id uuid, attempt int, status text, result json, failure_reason text,
    final boolean, due_at float8)
WHERE r.id = x.run_id AND (r.owner = :'owner') IS TRUE AND r.attempt = x.attempt;
