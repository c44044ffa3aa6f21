-- HNSW indexes over the chunks of one model: one of each tenant that has very many, one of what all tenants share. The
-- statements that build and drop them take no transaction; indexes.py has them.
-- By hand: psql -f memory/entries/sql/indexes.sql, with these samples.
\set min_chunks 30000
\set model 'wordllama/l2_supercat_256'
\set index memory_ann_sample
\set lock 1835363689

-- name: large_tenants
-- (tenant, model, dimension) of the tenants that have so many chunks.
SELECT tenant_id, model, min(vector_dims(embedding::vector)) FROM memory_memorychunk
WHERE embedding IS NOT NULL GROUP BY tenant_id, model HAVING count(*) >= :'min_chunks';

-- name: large_public
-- (model, dimension) of the models of which so many chunks are public.
SELECT model, min(vector_dims(embedding::vector)) FROM memory_memorychunk
WHERE embedding IS NOT NULL AND visibility = 'public' GROUP BY model HAVING count(*) >= :'min_chunks';

-- name: find_index
-- A row when the index is there and ready.
SELECT 1 FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname = :'index' AND i.indisvalid;

-- name: indexes_of_model
SELECT indexname FROM pg_indexes WHERE indexname LIKE 'memory_ann_%' AND strpos(indexdef, quote_literal(:'model')) > 0;

-- name: lock
SELECT pg_try_advisory_lock(:'lock');

-- name: unlock
SELECT pg_advisory_unlock(:'lock');
