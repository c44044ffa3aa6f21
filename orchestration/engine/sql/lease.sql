-- The lease: an engine's row with its heartbeat, and the advisory lock (1380271941, `key`; 1380271941 is "REGE") that
-- PostgreSQL frees the moment the engine's session ends. A heartbeat costs one row, however many runs it is for.
--
-- psql -f runs this file with these samples:
\set owner 'nobody'
\set key 0
\set host 'host'
\set pid 0
\set worker ''
\set solitary true
\set slots 0
\set lease_s 5
\set running 0
\set draining true
\set runs '[]'
\set broken '{}'

-- name: take_lock
-- Held for as long as the session lives.
SELECT pg_advisory_lock(1380271941, :'key');

-- name: register
-- The engine's row; once more after its connection was lost.
INSERT INTO orchestration_engine (owner, lock_key, host, pid, worker, solitary, slots, running, draining, lease_until)
VALUES (:'owner', :'key', :'host', :'pid', :'worker', :'solitary', :'slots', 0, false,
    now() + :'lease_s' * interval '1 second')
ON CONFLICT (owner) DO UPDATE SET locked_at = now(), lock_key = excluded.lock_key, lease_until = excluded.lease_until;

-- name: undo_deaths
-- We are alive: whoever took our runs because our connection had broken counted a death that was none.
UPDATE orchestration_run r SET deaths = r.deaths - 1, held_against = greatest(r.held_against - 1, 0),
    suspect_deaths = greatest(r.suspect_deaths - 1, 0)
FROM json_to_recordset(:'runs'::json) AS x(id uuid, attempt int)
WHERE r.id = x.id AND r.owner IS DISTINCT FROM :'owner' AND r.deaths > 0;

-- name: reconcile
-- An answer that was lost may have been a claim's: what we own without knowing it goes back to the queue; asked at
-- each heartbeat: such a claim may be committed late, after our new connection has asked for the first time.
UPDATE orchestration_run r SET owner = NULL, due_at = now(), updated_at = now()
WHERE r.owner = :'owner' AND r.id <> ALL(:'broken') AND NOT EXISTS (
    SELECT FROM json_to_recordset(:'runs'::json) AS x(id uuid, attempt int)
    WHERE x.id = r.id AND x.attempt = r.attempt);

-- name: notify_all
-- The answer that was lost may have been of take_notified: look at everything that we hold once more.
UPDATE orchestration_run SET is_notified = true WHERE owner = :'owner';

-- name: beat
-- No row: we were taken for dead, and our runs have been given away.
UPDATE orchestration_engine SET lease_until = now() + :'lease_s' * interval '1 second', running = :'running',
    draining = :'draining'
WHERE owner = :'owner';

-- name: sweep
-- Take back the runs of dead engines. An engine is dead when its lease is over, or when the lock that it took in this
-- life of the server is held no more. A server that has just started gives all engines a lease's time to come back.
-- A death of all engines at once proves nothing about a run: a machine was switched off, a worker killed. Only one that
-- was there 10 times without finishing a step is taken for a suspect all the same. Deaths are remembered for 30 days.
WITH dead AS (
    DELETE FROM orchestration_engine e
    WHERE (e.lease_until < now() AND pg_postmaster_start_time() < now() - :'lease_s' * interval '1 second') OR (
        e.locked_at > pg_postmaster_start_time() AND NOT EXISTS (
            SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.classid = 1380271941::oid AND l.objid = e.lock_key::oid))
    RETURNING e.owner, e.host, e.pid, e.worker, e.solitary, e.lease_until
), death_records AS (
    INSERT INTO orchestration_enginedeath (owner, host, pid, at) SELECT owner, host, pid, now() FROM dead
), old_deaths AS (
    DELETE FROM orchestration_enginedeath
    WHERE EXISTS (SELECT FROM dead) AND at < now() - 30 * interval '1 day'
-- How many runs each of them had, and whether others lived on: of its worker, or from before its last heartbeat.
), engine_runs AS (
    SELECT d.owner, d.solitary, count(r.id) AS n, sum(count(r.id)) OVER () AS n_all, EXISTS (
        SELECT FROM orchestration_engine l WHERE NOT l.solitary AND l.owner NOT IN (SELECT owner FROM dead)
        AND (l.worker = nullif(d.worker, '') OR l.started_at <= d.lease_until - :'lease_s' * interval '1 second')
    ) AS others_live
    FROM dead d LEFT JOIN orchestration_run r ON r.owner = d.owner
    GROUP BY d.owner, d.solitary, d.worker, d.lease_until
), orphans AS (
    SELECT r.id, r.owner FROM orchestration_run r
    WHERE r.owner IS NOT NULL AND (r.owner IN (SELECT owner FROM dead)
        OR NOT EXISTS (SELECT FROM orchestration_engine e WHERE e.owner = r.owner))
    FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE orchestration_run r SET owner = NULL, deaths = r.deaths + 1, updated_at = now(), due_at = now(),
    suspect_deaths = greatest(r.suspect_deaths + coalesce(e.others_live, false)::int,
        CASE WHEN r.deaths + 1 >= 10 THEN 2 ELSE 0 END),
    -- It ran alone: in the process of suspects, or as the only run of all that died at this moment.
    held_against = r.held_against
        + coalesce(e.n_all = 1 OR (e.n = 1 AND (e.solitary OR e.others_live)), false)::int
FROM orphans LEFT JOIN engine_runs e ON e.owner = orphans.owner WHERE r.id = orphans.id RETURNING r.id;

-- name: runs_are_orphaned
-- Engines whose lock is gone have died, even while their rows are there.
SELECT EXISTS (SELECT FROM orchestration_run WHERE owner IS NOT NULL) AND NOT EXISTS (
    SELECT FROM orchestration_engine e JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid = 1380271941::oid AND l.objid = e.lock_key::oid);

-- name: give_back_broken
-- Runs that could not be closed: as if we had died with them alone.
UPDATE orchestration_run SET owner = NULL, due_at = now(), deaths = deaths + 1, held_against = held_against + 1
WHERE owner = :'owner' AND id = ANY(:'broken');

-- name: give_back_all
-- An engine that ends in order leaves nothing behind.
UPDATE orchestration_run SET owner = NULL, due_at = now() WHERE owner = :'owner' RETURNING id;

-- name: unregister
-- Its lock goes with its connection.
DELETE FROM orchestration_engine WHERE owner = :'owner';
