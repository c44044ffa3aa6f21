-- Rollups: how often a metric happened in an hour of UTC (n), and the sum of its values (total: milliseconds,
-- micro-USD or tokens). Durations are counted by size as well, in buckets that grow by a twentieth (`growth`): the sums
-- of the buckets over any hours give percentiles that are at most a twentieth too high.
--
-- Rows that the outbox names are looked up one by one (LATERAL … OFFSET 0): the planner knows nothing about an outbox
-- that is empty at one moment and full at the next, and would read whole tables.
--
-- By hand: psql -f observability/metrics/sql/rollups.sql, with these samples, in a transaction that is rolled back.
\set growth 1.05
\set max_batch 20000
\set own_kinds '{callback,notification,apply}'
\set tenants '{demo}'
\set tenant demo
\set metric requests
\set label ''
\set hour '2026-11-30T12:00:00Z'
\set n 1
\set today '2026-11-30T00:00:00Z'
\set since '2026-11-29T13:00:00Z'
\set before '2026-11-22T00:00:00Z'
\set statuses '{completed,failed,cancelled}'
\set lock 1380928588

-- name: lock
-- One process counts at a time; it holds this until its transaction ends.
SELECT pg_try_advisory_xact_lock(:'lock');

-- name: count_outbox
-- Takes the oldest rows from the outbox, adds up what they name, and answers how many they were: once, as the rows go
-- in the same transaction.
WITH batch AS (
    DELETE FROM observability_uncounted
    WHERE id IN (SELECT id FROM observability_uncounted ORDER BY id LIMIT :'max_batch')
    RETURNING id, run_id, seq, ends, decision_id
), event AS (
    SELECT e.tenant_id, date_trunc('hour', e.ts, 'UTC') AS hour, e.kind, e.payload
    FROM batch b
    CROSS JOIN LATERAL (SELECT * FROM orchestration_runevent WHERE run_id = b.run_id AND seq = b.seq OFFSET 0) AS e
), run AS (
    -- The runs that have come to their end. What the product does on its own account is no work of the tenant.
    SELECT r.id, r.tenant_id, r.status, r.kind, r.subject_id, r.app_id, r.mode, r.cost_micro, r.llm_calls,
        num_nonnulls(r.cost_limit_micro, r.calls_limit, r.latency_limit_ms) > 0 AS has_limits,
        coalesce(extract(epoch FROM r.finished_at - coalesce(r.started_at, r.created_at)) * 1000, 0)::float8 AS ms,
        date_trunc('hour', e.ts, 'UTC') AS hour, e.payload AS last_event
    FROM batch b
    CROSS JOIN LATERAL (SELECT * FROM orchestration_runevent WHERE run_id = b.run_id AND seq = b.seq OFFSET 0) AS e
    CROSS JOIN LATERAL (SELECT * FROM orchestration_run WHERE id = b.run_id OFFSET 0) AS r
    WHERE b.ends AND r.kind <> ALL(:'own_kinds'::text[])
), step AS (
    -- Their steps; waits take as long as somebody else likes, and notes to oneself are no work.
    SELECT s.tenant_id, date_trunc('hour', s.finished_at, 'UTC') AS hour, s.type,
        (extract(epoch FROM s.finished_at - s.started_at) * 1000)::float8 AS ms
    FROM run CROSS JOIN LATERAL (SELECT * FROM orchestration_step WHERE run_id = run.id OFFSET 0) AS s
    WHERE s.finished_at IS NOT NULL AND s.status IN ('completed', 'failed')
        AND s.type NOT IN ('timer', 'event', 'approval', 'child', 'note', 'intent', 'outcome')
), call AS (
    -- Model and tool calls. A number that the payload does not have is 0.
    SELECT tenant_id, hour, kind, payload,
        CASE jsonb_typeof(payload->'latency_ms') WHEN 'number'
            THEN least(greatest((payload->>'latency_ms')::numeric, 0), 1e15) ELSE 0 END::float8 AS latency_ms,
        CASE jsonb_typeof(payload->'estimated_cost_cents') WHEN 'number'
            THEN least(greatest((payload->>'estimated_cost_cents')::numeric, 0), 1e15) ELSE 0 END * 10000 AS cost_micro,
        CASE jsonb_typeof(payload->'usage'->'promptTokens') WHEN 'number'
            THEN least(greatest((payload->'usage'->>'promptTokens')::numeric, 0), 1e15) ELSE 0 END AS prompt_tokens,
        CASE jsonb_typeof(payload->'usage'->'completionTokens') WHEN 'number'
            THEN least(greatest((payload->'usage'->>'completionTokens')::numeric, 0), 1e15) ELSE 0 END AS completion_tokens,
        CASE jsonb_typeof(payload->'duration_ms') WHEN 'number'
            THEN least(greatest((payload->>'duration_ms')::numeric, 0), 1e15) ELSE 0 END AS duration_ms
    FROM event WHERE kind IN ('llm_call', 'tool_call')
), decision AS (
    -- A decision counts for the scope of the policy that decided, without one for that of the action.
    SELECT d.tenant_id, date_trunc('hour', d.created_at, 'UTC') AS hour, d.result,
        coalesce(p.scope, CASE d.action WHEN 'tool_call' THEN 'tool' WHEN 'agent_call' THEN 'agent'
            WHEN 'apply' THEN 'tool' ELSE 'workflow' END) AS scope
    FROM batch b
    CROSS JOIN LATERAL (SELECT * FROM governance_policydecision WHERE id = b.decision_id OFFSET 0) AS d
    LEFT JOIN governance_policy p ON p.id = d.policy_id
), sample AS (
    -- The same list of a run's metrics is in read_metrics below.
    SELECT tenant_id, hour, m.metric, m.label, m.total::float8
    FROM run CROSS JOIN LATERAL (VALUES
        ('run', status, ms, true),
        ('run.workflow', subject_id, 0, kind = 'workflow'),
        ('run.workflow.completed', subject_id, 0, kind = 'workflow' AND status = 'completed'),
        ('run.workflow.failed', subject_id, 0, kind = 'workflow' AND status = 'failed'),
        ('run.app', app_id, 0, app_id <> ''),
        ('run.mode', mode, 0, true),
        ('run.kind', kind, 0, true),
        ('run.limited', '', 0, has_limits),
        ('run.ms', ceil(ln(least(greatest(ms, 0.01), 1e15)) / ln(:'growth'::float8))::int::text, 0,
            status = 'completed'),
        ('run.cost', '', cost_micro, status = 'completed'),
        ('run.calls', '', llm_calls, status = 'completed'),
        ('run.failed', last_event->>'error_type', 0, status = 'failed')
    ) AS m (metric, label, total, applies) WHERE m.applies
    UNION ALL
    SELECT tenant_id, hour, m.metric, m.label, m.total::float8
    FROM step CROSS JOIN LATERAL (VALUES
        ('step', type, ms),
        ('step.ms', ceil(ln(least(greatest(ms, 0.01), 1e15)) / ln(:'growth'::float8))::int::text, 0)
    ) AS m (metric, label, total)
    UNION ALL
    SELECT tenant_id, hour, m.metric, m.label, m.total::float8
    FROM call CROSS JOIN LATERAL (VALUES
        ('llm', '', latency_ms, true),
        ('llm.ms', ceil(ln(least(greatest(latency_ms, 0.01), 1e15)) / ln(:'growth'::float8))::int::text, 0, true),
        ('llm.provider', payload->>'provider', cost_micro, true),
        ('llm.model', payload->>'model', cost_micro, true),
        ('llm.agent', payload->>'agent_id', cost_micro, true),
        ('llm.prompt', '', prompt_tokens, true),
        ('llm.completion', '', completion_tokens, true),
        ('llm.failed', payload->>'error_type', 0, payload ? 'error')
    ) AS m (metric, label, total, applies) WHERE m.applies AND kind = 'llm_call'
    UNION ALL
    SELECT tenant_id, hour, m.metric, m.label, m.total::float8
    FROM call CROSS JOIN LATERAL (VALUES
        ('tool', payload->>'tool_id', duration_ms, true),
        ('tool.risk', payload->>'risk_level', 0, true),
        ('tool.failed', payload->>'error_type', 0, payload ? 'error')
    ) AS m (metric, label, total, applies) WHERE m.applies AND kind = 'tool_call'
    UNION ALL
    SELECT tenant_id, hour, 'budget', payload->>'type', 0 FROM event WHERE kind = 'budget_exceeded'
    UNION ALL
    SELECT tenant_id, hour, 'paused', '', 0 FROM event WHERE kind = 'run_paused'
    UNION ALL
    SELECT tenant_id, hour, m.metric, m.label, 0
    FROM decision CROSS JOIN LATERAL (VALUES ('policy', result), ('policy.scope', scope)) AS m (metric, label)
), added AS (
    INSERT INTO observability_rollup AS r (tenant_id, measure, label, hour, n, total)
    SELECT tenant_id, metric, left(coalesce(label, ''), 128) AS label, hour, count(*), sum(total)
    FROM sample GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE
        SET n = r.n + excluded.n, total = r.total + excluded.total
)
SELECT count(*) FROM batch;

-- name: set_requests
-- The requests of an hour, as Redis has counted them. The number only grows: a Redis that came back empty takes nothing
-- back.
INSERT INTO observability_rollup AS r (tenant_id, measure, label, hour, n, total)
VALUES (:'tenant', :'metric', :'label', :'hour', :'n', 0)
ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE SET n = excluded.n WHERE r.n < excluded.n;

-- name: merge_days
-- Adds up the hours of days that are long ago, and answers how many rollups those were.
WITH old AS (
    DELETE FROM observability_rollup WHERE hour < :'before' AND hour <> date_trunc('day', hour, 'UTC')
    RETURNING tenant_id, measure, label, date_trunc('day', hour, 'UTC') AS hour, n, total
), added AS (
    INSERT INTO observability_rollup AS r (tenant_id, measure, label, hour, n, total)
    SELECT tenant_id, measure, label, hour, sum(n), sum(total) FROM old GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, measure, label, hour) DO UPDATE
        SET n = r.n + excluded.n, total = r.total + excluded.total
)
SELECT count(*) FROM old;

-- name: read_metrics
-- All metrics of some tenants: ever, since midnight UTC, and lately. One statement, and so of one moment: the rollups,
-- the runs that go on, and those whose end is still in the outbox. Else a run that ends just now would be missing, and
-- a total that shrinks looks like a restart.
WITH run AS (
    SELECT r.status, r.kind, r.subject_id, r.app_id, r.mode, r.cost_micro, r.llm_calls,
        num_nonnulls(r.cost_limit_micro, r.calls_limit, r.latency_limit_ms) > 0 AS has_limits,
        coalesce(extract(epoch FROM r.finished_at - coalesce(r.started_at, r.created_at)) * 1000, 0)::float8 AS ms,
        now() AS hour, NULL::jsonb AS last_event
    FROM (  -- by the three indexes that know the runs that go on (orchestration/models/run.py)
        SELECT * FROM orchestration_run WHERE owner IS NULL AND due_at IS NOT NULL
            AND kind <> ALL(:'own_kinds'::text[]) AND tenant_id = ANY(:'tenants')
        UNION ALL
        SELECT * FROM orchestration_run WHERE owner IS NOT NULL
            AND kind <> ALL(:'own_kinds'::text[]) AND tenant_id = ANY(:'tenants')
        UNION ALL
        SELECT * FROM orchestration_run WHERE owner IS NULL AND due_at IS NULL
            AND status IN ('pending', 'running', 'paused')
            AND kind <> ALL(:'own_kinds'::text[]) AND tenant_id = ANY(:'tenants')
    ) AS r
    UNION ALL
    SELECT r.status, r.kind, r.subject_id, r.app_id, r.mode, r.cost_micro, r.llm_calls,
        num_nonnulls(r.cost_limit_micro, r.calls_limit, r.latency_limit_ms) > 0,
        coalesce(extract(epoch FROM r.finished_at - coalesce(r.started_at, r.created_at)) * 1000, 0)::float8,
        date_trunc('hour', e.ts, 'UTC'), e.payload
    FROM observability_uncounted b
    CROSS JOIN LATERAL (SELECT * FROM orchestration_runevent WHERE run_id = b.run_id AND seq = b.seq OFFSET 0) AS e
    CROSS JOIN LATERAL (SELECT * FROM orchestration_run WHERE id = b.run_id OFFSET 0) AS r
    WHERE b.ends AND b.tenant_id = ANY(:'tenants') AND r.kind <> ALL(:'own_kinds'::text[])
), rollup AS (
    SELECT measure AS metric, label, hour, n, total FROM observability_rollup WHERE tenant_id = ANY(:'tenants')
    UNION ALL
    -- The same list is in count_outbox above.
    SELECT m.metric, left(coalesce(m.label, ''), 128), hour, 1, m.total::float8
    FROM run CROSS JOIN LATERAL (VALUES
        ('run', status, ms, true),
        ('run.workflow', subject_id, 0, kind = 'workflow'),
        ('run.workflow.completed', subject_id, 0, kind = 'workflow' AND status = 'completed'),
        ('run.workflow.failed', subject_id, 0, kind = 'workflow' AND status = 'failed'),
        ('run.app', app_id, 0, app_id <> ''),
        ('run.mode', mode, 0, true),
        ('run.kind', kind, 0, true),
        ('run.limited', '', 0, has_limits),
        ('run.ms', ceil(ln(least(greatest(ms, 0.01), 1e15)) / ln(:'growth'::float8))::int::text, 0,
            status = 'completed'),
        ('run.cost', '', cost_micro, status = 'completed'),
        ('run.calls', '', llm_calls, status = 'completed'),
        ('run.failed', last_event->>'error_type', 0, status = 'failed')
    ) AS m (metric, label, total, applies) WHERE m.applies
)
SELECT metric, label, sum(n)::bigint AS ever, sum(total) AS total,
    coalesce(sum(n) FILTER (WHERE hour >= :'today'), 0)::bigint AS today,
    coalesce(sum(total) FILTER (WHERE hour >= :'today'), 0) AS total_today,
    coalesce(sum(n) FILTER (WHERE hour >= :'since'), 0)::bigint AS lately
FROM rollup GROUP BY metric, label;

-- name: count_runs
-- The runs of all tenants that have come to an end, by status.
SELECT label, sum(n)::bigint FROM observability_rollup WHERE measure = 'run' AND label = ANY(:'statuses') GROUP BY label;
