-- Budgets: reserve before a call, settle after it. `spent + held` never passes a limit, for any number of callers.
-- By hand: psql -f governance/budgets/sql/reservations.sql, with these samples.
\set ids '{1,2}'
\set limits '{00000000-0000-0000-0000-000000000001}'
\set run '00000000-0000-0000-0000-000000000002'
\set runs '{00000000-0000-0000-0000-000000000002}'
\set tenant demo
\set hold '00000000-0000-0000-0000-000000000003'
\set micro 100
\set calls 1
\set bills '[{"hold_id": "00000000-0000-0000-0000-000000000003", "micro": 80, "calls": 1}]'

-- name: lock
-- The budgets, always in the order of their ids: no deadlock.
SELECT id FROM governance_budget WHERE id = ANY(:'ids') ORDER BY id FOR NO KEY UPDATE;

-- name: reserve
-- Holds the amount on those of the budgets that it fits into, and warns when four fifths of one are used or held. A
-- blocked UPDATE reads the row again when it gets it, so the limits hold. The caller rolls back unless all fit.
WITH fits AS (
    UPDATE governance_budget SET held_micro = held_micro + :'micro', held_calls = held_calls + :'calls',
        warned_at = CASE WHEN warned_at IS NULL AND (
            5 * (spent_micro + held_micro + :'micro') >= 4 * cost_limit_micro
            OR 5 * (spent_calls + held_calls + :'calls') >= 4 * calls_limit) THEN now() ELSE warned_at END
    WHERE id = ANY(:'ids')
      AND (cost_limit_micro IS NULL OR spent_micro + held_micro + :'micro' <= cost_limit_micro)
      AND (calls_limit IS NULL OR spent_calls + held_calls + :'calls' <= calls_limit)
    RETURNING *
), hold AS (
    INSERT INTO governance_hold (id, tenant_id, run_id, budget_ids, micro, calls, created_at)
    VALUES (:'hold', :'tenant', :'run', :'ids', :'micro', :'calls', now())
)
SELECT id, warned_at = now(), scope, scope_id, cost_limit_micro, spent_micro + held_micro, calls_limit,
    spent_calls + held_calls
FROM fits;

-- name: balances
-- What is spent and held of the budgets, to say which limit a refused call would have passed.
SELECT scope, scope_id, cost_limit_micro, spent_micro, held_micro, calls_limit, spent_calls, held_calls
FROM governance_budget WHERE id = ANY(:'ids') ORDER BY id;

-- name: period_budgets
-- The budgets of these daily and monthly limits in the current period; days and months are UTC's.
SELECT b.id FROM governance_budgetlimit l
JOIN governance_budget b ON b.limit_id = l.id AND b.starts_on = CASE l.period
    WHEN 'day' THEN (now() AT TIME ZONE 'UTC')::date
    ELSE date_trunc('month', now() AT TIME ZONE 'UTC')::date END
WHERE l.id = ANY(:'limits');

-- name: open_period_budgets
-- Opens those of them that this period has none of yet.
INSERT INTO governance_budget (tenant_id, limit_id, scope, scope_id, starts_on, cost_limit_micro, calls_limit)
SELECT l.tenant_id, l.id, l.scope, l.scope_id, CASE l.period
    WHEN 'day' THEN (now() AT TIME ZONE 'UTC')::date
    ELSE date_trunc('month', now() AT TIME ZONE 'UTC')::date END, l.cost_limit_micro, l.calls_limit
FROM governance_budgetlimit l WHERE l.id = ANY(:'limits') ORDER BY l.id
ON CONFLICT (limit_id, starts_on) DO NOTHING;

-- name: settle
-- Deletes the holds and moves the budgets by what was deleted: settling one twice moves nothing.
WITH bill AS (
    SELECT * FROM json_to_recordset(:'bills'::json) AS b(hold_id uuid, micro bigint, calls int)
), deleted AS (
    DELETE FROM governance_hold h USING bill WHERE h.id = bill.hold_id
    RETURNING h.budget_ids, h.micro AS held_micro, h.calls AS held_calls, bill.micro, bill.calls
), change AS (
    SELECT budget_id, sum(held_micro) AS held_micro, sum(held_calls) AS held_calls,
           sum(micro) AS micro, sum(calls) AS calls
    FROM deleted, unnest(deleted.budget_ids) AS budget_id GROUP BY budget_id
)
UPDATE governance_budget b
SET held_micro = b.held_micro - c.held_micro, held_calls = b.held_calls - c.held_calls,
    spent_micro = b.spent_micro + c.micro, spent_calls = b.spent_calls + c.calls
FROM change c WHERE b.id = c.budget_id;

-- name: release
-- Gives back what a dead worker had reserved: its calls are made again, if at all, under a new hold.
WITH deleted AS (
    DELETE FROM governance_hold WHERE run_id = ANY(:'runs') RETURNING budget_ids, micro, calls
), change AS (
    SELECT budget_id, sum(micro) AS micro, sum(calls) AS calls
    FROM deleted, unnest(deleted.budget_ids) AS budget_id GROUP BY budget_id
)
UPDATE governance_budget b SET held_micro = b.held_micro - c.micro, held_calls = b.held_calls - c.calls
FROM change c WHERE b.id = c.budget_id;
