-- What the end of a run means for its children and its parent.
--
-- psql -f runs this file with these samples:
\set parents '{00000000-0000-0000-0000-000000000000}'

-- name: cancel_children
-- The children of a run that ended badly have nobody to work for.
UPDATE orchestration_run SET cancel_requested = true, is_notified = owner IS NOT NULL,
    due_at = CASE WHEN owner IS NULL THEN now() ELSE due_at END
WHERE parent_id = ANY(:'parents') AND status IN ('pending', 'running', 'paused');

-- name: notify_parents
-- In a transaction of its own: children lock their parents only while they hold nothing else.
UPDATE orchestration_run r SET is_notified = r.owner IS NOT NULL,
    due_at = CASE WHEN r.owner IS NULL THEN now() ELSE r.due_at END
FROM (
    SELECT id FROM orchestration_run WHERE id = ANY(:'parents') AND status = 'running' ORDER BY id FOR NO KEY UPDATE
) AS p
WHERE r.id = p.id RETURNING r.id;
