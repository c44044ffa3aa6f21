-- The queue: fair claims, and what a claimed run finds recorded and waiting for it.
--
-- A run is claimable while `owner` is null and `due_at` has come. Runs are looked up by their keys in forms that leave
-- no other way: a plan is kept for a while, and a join that was planned while the table was nearly empty reads all of
-- it for each row.
--
-- A run that has seen 2 engines die beside others that lived on (`suspect_deaths`) is a suspect: it is claimed only by
-- an engine of a process apart, with the other suspects. If that process dies too (3), those that were in it run alone,
-- where a death is their own doing (`held_against`). `max_deaths` of its own, and a suspect is left to be given up: of
-- it, and of a run that was cancelled, only the end is left to write, by any engine.
--
-- psql -f runs this file with these samples:
\set owner 'nobody'
\set max_runs 0
\set tenant_cap 0
\set kind_caps '{}'
\set user_caps '{}'
\set max_deaths 3
\set alone false
\set ids '{00000000-0000-0000-0000-000000000000}'

-- name: lock_claims
-- One claim at a time, so that caps are exact; it takes about a millisecond. (The key is REGE, 1.)
SELECT pg_advisory_xact_lock(1380271941, 1);

-- name: claim
-- Up to `max_runs` runs, fairly over the tenants by weight, within the caps of tenants, kinds and users.
-- `is_known`: the run has lived before, or has something waiting for it.
WITH RECURSIVE waiting AS (  -- the tenants that have something in the queue, by jumping along the index
    (SELECT tenant_id FROM orchestration_run WHERE owner IS NULL AND due_at IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tenant_id FROM orchestration_run r
            WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id > w.tenant_id ORDER BY r.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
), live AS (  -- counted from the leases themselves: a counter of its own could leak
    SELECT tenant_id, kind, count(*) AS n FROM orchestration_run WHERE owner IS NOT NULL GROUP BY tenant_id, kind
), tenants AS (
    SELECT t.id, greatest(t.weight, 1) AS weight, coalesce(t.max_running, nullif(:'tenant_cap', 0)) AS cap,
           coalesce((SELECT sum(n) FROM live l WHERE l.tenant_id = t.id), 0) AS running
    FROM waiting w JOIN accounts_tenant t ON t.id = w.tenant_id AND NOT t.suspended
), candidates AS (
    SELECT c.*, t.weight, t.cap, t.running,
           coalesce((SELECT n FROM live l WHERE l.tenant_id = t.id AND l.kind = c.kind), 0) AS running_of_kind,
           row_number() OVER (PARTITION BY t.id ORDER BY c.rank) AS nth,
           row_number() OVER (PARTITION BY t.id, c.kind ORDER BY c.rank) AS nth_of_kind
    FROM tenants t CROSS JOIN LATERAL (
        (SELECT r.id, r.tenant_id, r.kind, (r.due_at AT TIME ZONE 'UTC') - r.priority * interval '30 seconds' AS rank
        FROM orchestration_run r
        WHERE r.owner IS NULL AND r.due_at <= now() AND r.tenant_id = t.id
          AND NOT (r.suspect_deaths >= 2 AND r.held_against + (r.suspect_deaths >= 3)::int < :'max_deaths'
              AND NOT r.cancel_requested)
          AND NOT r.has_user_cap
        ORDER BY (r.due_at AT TIME ZONE 'UTC') - r.priority * interval '30 seconds' LIMIT :'max_runs')
        UNION ALL  -- apart, so that those of a user who has enough of them under way stand in nobody's way
        (WITH RECURSIVE users AS (  -- who has runs of which kind in the queue, by jumping along the index
            (SELECT r.kind, r.created_by FROM orchestration_run r
            WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id = t.id AND r.has_user_cap
            ORDER BY r.kind, r.created_by LIMIT 1)
            UNION ALL
            SELECT next.* FROM users u CROSS JOIN LATERAL (
                SELECT r.kind, r.created_by FROM orchestration_run r
                WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id = t.id AND r.has_user_cap
                  AND (r.kind, r.created_by) > (u.kind, u.created_by)
                ORDER BY r.kind, r.created_by LIMIT 1) next
        ), active AS (
            SELECT kind, created_by, count(*) AS n FROM orchestration_run
            WHERE tenant_id = t.id AND has_user_cap AND status IN ('running', 'paused') GROUP BY kind, created_by
        )
        SELECT q.* FROM users u LEFT JOIN active a USING (kind, created_by) CROSS JOIN LATERAL (
            (SELECT r.id, r.tenant_id, r.kind,
                (r.due_at AT TIME ZONE 'UTC') - r.priority * interval '30 seconds' AS rank
            FROM orchestration_run r
            WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id = t.id AND r.has_user_cap
              AND r.kind = u.kind AND r.created_by = u.created_by AND r.due_at <= now() AND r.status <> 'pending'
              AND NOT (r.suspect_deaths >= 2 AND r.held_against + (r.suspect_deaths >= 3)::int < :'max_deaths'
                  AND NOT r.cancel_requested))
            UNION ALL
            (SELECT r.id, r.tenant_id, r.kind,
                (r.due_at AT TIME ZONE 'UTC') - r.priority * interval '30 seconds' AS rank
            FROM orchestration_run r
            WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.tenant_id = t.id AND r.has_user_cap
              AND r.kind = u.kind AND r.created_by = u.created_by AND r.due_at <= now() AND r.status = 'pending'
            ORDER BY (r.due_at AT TIME ZONE 'UTC') - r.priority * interval '30 seconds'
            -- A kind whose declaration is gone, with its plug-in, has no cap any more.
            LIMIT least(:'max_runs', greatest(coalesce((:'user_caps'::jsonb ->> u.kind)::int, 2147483647)
                                              - coalesce(a.n, 0), 0)))
        ) q)
    ) c
), fair AS (  -- each tenant's next run is weighed by what the tenant already has running
    SELECT c.id FROM candidates c
    WHERE (c.cap IS NULL OR c.running + c.nth <= c.cap)
      AND coalesce(c.running_of_kind + c.nth_of_kind <= (:'kind_caps'::jsonb ->> c.kind)::int, true)
    ORDER BY (c.running + c.nth)::float / c.weight, c.rank LIMIT :'max_runs'
), picked AS (
    SELECT locked.* FROM fair CROSS JOIN LATERAL (
        SELECT r.id, r.status <> 'pending' OR r.is_notified AS is_known FROM orchestration_run r
        -- Asked again of the row as it is once we have its lock: it may have been cancelled since the queue was looked
        -- at. IS TRUE keeps the planner from the queue's index: it would walk the whole queue once for each row.
        WHERE r.id = fair.id AND (r.owner IS NULL AND r.due_at <= now()) IS TRUE FOR NO KEY UPDATE OF r SKIP LOCKED
    ) AS locked
), claimed AS (
    SELECT array_agg(id) AS ids, array_agg(id) FILTER (WHERE is_known) AS is_known FROM picked
)
UPDATE orchestration_run r
SET owner = :'owner', attempt = r.attempt + 1, status = 'running', is_notified = false, updated_at = now(),
    started_at = coalesce(r.started_at, now()),
    deadline_at = coalesce(r.deadline_at, now() + r.latency_limit_ms * interval '1 millisecond')
WHERE r.id = ANY ((SELECT ids FROM claimed)::uuid[])
RETURNING r.id, r.attempt > 1 OR r.id = ANY (coalesce((SELECT is_known FROM claimed), '{}')) AS is_known;

-- name: claim_suspects
-- Suspects, within their tenants' caps as `claim` has them: those that may run together, or (`alone`) those that may
-- not. Nobody joins a group while one waits that must run alone: it would wait for ever.
WITH candidates AS (
    SELECT r.id, r.held_against, r.due_at,
        coalesce(t.max_running, nullif(:'tenant_cap', 0), 2147483647) AS cap,
        (SELECT count(*) FROM orchestration_run l WHERE l.owner IS NOT NULL AND l.tenant_id = r.tenant_id)
            + row_number() OVER (PARTITION BY r.tenant_id ORDER BY r.held_against, r.due_at) AS nth,
        coalesce((:'kind_caps'::jsonb ->> r.kind)::int, 2147483647) AS kind_cap,
        (SELECT count(*) FROM orchestration_run l
         WHERE l.owner IS NOT NULL AND l.tenant_id = r.tenant_id AND l.kind = r.kind)
            + row_number() OVER (PARTITION BY r.tenant_id, r.kind ORDER BY r.held_against, r.due_at) AS nth_of_kind
    FROM orchestration_run r JOIN accounts_tenant t ON t.id = r.tenant_id AND NOT t.suspended
    WHERE r.owner IS NULL AND r.due_at <= now()
      AND r.suspect_deaths >= 2 AND r.held_against + (r.suspect_deaths >= 3)::int < :'max_deaths'
      AND NOT r.cancel_requested AND (r.suspect_deaths >= 3) = :'alone'
      AND (:'alone' OR NOT EXISTS (
        SELECT FROM orchestration_run r WHERE r.owner IS NULL AND r.due_at <= now()
        AND r.suspect_deaths >= 2 AND r.held_against + (r.suspect_deaths >= 3)::int < :'max_deaths'
        AND NOT r.cancel_requested AND r.suspect_deaths >= 3))
), picked AS (
    SELECT locked.id FROM (
        SELECT id FROM candidates WHERE nth <= cap AND nth_of_kind <= kind_cap
        ORDER BY held_against, due_at LIMIT :'max_runs'
    ) AS c CROSS JOIN LATERAL (
        SELECT r.id FROM orchestration_run r
        WHERE r.id = c.id AND (r.owner IS NULL AND r.due_at <= now()) IS TRUE FOR NO KEY UPDATE OF r SKIP LOCKED
    ) AS locked
)
UPDATE orchestration_run r
SET owner = :'owner', attempt = r.attempt + 1, status = 'running', is_notified = false, updated_at = now(),
    started_at = coalesce(r.started_at, now()),
    deadline_at = coalesce(r.deadline_at, now() + r.latency_limit_ms * interval '1 millisecond')
WHERE r.id = ANY (ARRAY(SELECT id FROM picked)) RETURNING r.id, true AS is_known;

-- name: suspects_wait
-- Whether a suspect waits that no solitary engine is there for, or, for longer than 2 seconds, that those which are
-- there have no room for.
SELECT EXISTS (
    SELECT FROM orchestration_run r
    WHERE r.owner IS NULL AND r.suspect_deaths >= 2 AND r.held_against + (r.suspect_deaths >= 3)::int < :'max_deaths'
      AND NOT r.cancel_requested AND r.due_at <= now() - CASE WHEN EXISTS (
        SELECT FROM orchestration_engine WHERE solitary AND NOT draining AND lease_until > now()
    ) THEN interval '2 seconds' ELSE interval '0' END
) AS suspects_wait;

-- name: read_runs
-- Read once the claims' lock is free again: inputs may be large, and take as long as we take to read them.
SELECT r.id, r.tenant_id, r.kind, r.subject_id, r.subject_version, r.mode, r.input, r.created_by, r.on_behalf_of,
    r.app_id, r.app_action_id, r.trigger, r.origin, r.policy, r.trace_id, r.parent_id, r.depth, r.attempt, r.deaths,
    r.held_against, r.suspect_deaths, r.cancel_requested, r.deadline_at, r.budget_ids, r.created_at
FROM orchestration_run r WHERE r.id = ANY(:'ids') AND (r.owner = :'owner') IS TRUE;

-- name: read_steps
-- What a replay returns instead of running a step again.
SELECT run_id, name, position, status, output, error, tries, retry_at
FROM orchestration_step WHERE run_id = ANY(:'ids');

-- name: read_last_seqs
-- Where each run's events go on, and which of its steps have an event of their start.
SELECT run_id, max(seq) AS seq,
    coalesce(array_agg(DISTINCT step) FILTER (WHERE kind = 'step_started'), '{}') AS started_steps
FROM orchestration_runevent WHERE run_id = ANY(:'ids') GROUP BY run_id;

-- name: read_signals
-- Events that were sent to runs and that no wait has taken.
SELECT id, run_id, name, payload FROM orchestration_signal WHERE run_id = ANY(:'ids') AND taken_by = '' ORDER BY id;

-- name: read_approvals
-- Questions to people, with their answers.
SELECT run_id, id::text, step, approved, comment, edited, decided_by::text, is_recorded, expires_at
FROM orchestration_approval WHERE run_id = ANY(:'ids');

-- name: read_children
-- Child runs that are over.
SELECT id, parent_id, parent_step, status, result, failure_reason, started_at, finished_at FROM orchestration_run
WHERE parent_id = ANY(:'ids') AND status IN ('completed', 'failed', 'cancelled');

-- name: take_notified
-- The runs of ours that have something new, once each.
UPDATE orchestration_run SET is_notified = false WHERE owner = :'owner' AND is_notified RETURNING id, cancel_requested;
