-- The candidates of a search. `scope`: 'tenant' = the viewer's own tenant's memories that the viewer may see, 'public' =
-- those that other tenants have made public. An empty filter lets all through; PostgreSQL drops it before it plans.
-- By hand: psql -f memory/entries/sql/search.sql, with these samples (a vector has as many numbers as its model's).
\set scope tenant
\set tenant demo
\set user '00000000-0000-0000-0000-000000000001'
\set viewer '{"tenant": "demo", "user": null, "end_user": "", "app": "", "agent": "", "run": ""}'
\set owner_type ''
\set owner_id ''
\set type ''
\set owners '{}'
\set owner_ids '{}'
\set metadata '{}'
\set model 'wordllama/l2_supercat_256'
\set vector '[1,0,0]'
\set dimension 3
\set words 'late checkout'
\set entries '{00000000-0000-0000-0000-000000000001}'
\set limit 40
\set max_matches 1000

-- name: nearest
-- (memory, cosine) of the nearest chunks, compared one by one.
SELECT c.entry_id, -(c.embedding <#> :'vector'::halfvec) FROM memory_memorychunk c
WHERE ((:'scope' = 'tenant' AND c.tenant_id = :'tenant' AND memory_is_visible(c.tenant_id, c.visibility, c.owner_type,
            c.owner_id, c.created_by, c.expires_at, :'viewer'))
        OR (:'scope' = 'public' AND c.visibility = 'public' AND c.tenant_id <> :'tenant'
            AND (c.expires_at IS NULL OR c.expires_at > now())))
    AND c.model = :'model' AND c.embedding IS NOT NULL
    AND (:'type' = '' OR c.type = :'type')
    AND (:'owner_type' = '' OR c.owner_type = :'owner_type')
    AND (:'owner_id' = '' OR c.owner_id = :'owner_id')
    AND (:'owners' = '{}' OR (c.owner_id = ANY(:'owner_ids') AND c.owner_type || ':' || c.owner_id = ANY(:'owners')
        AND (c.owner_type <> 'user' OR c.created_by = :'user')))
    AND (:'metadata' = '{}' OR c.metadata @> :'metadata')
ORDER BY c.embedding <#> :'vector'::halfvec LIMIT :'limit';

-- name: index_settings
-- For the next statement, in the same transaction: the HNSW index yields neighbours until enough pass the filters
-- (pgvector's iterative scan), 60,000 at most; no other plan is taken.
SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = 200; SET LOCAL hnsw.max_scan_tuples = 60000;
SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;

-- name: nearest_by_index
-- The same through the HNSW index over embedding::halfvec(dimension), which only this form of the column uses.
SELECT c.entry_id, -((c.embedding::halfvec(:'dimension')) <#> :'vector'::halfvec(:'dimension')) FROM memory_memorychunk c
WHERE ((:'scope' = 'tenant' AND c.tenant_id = :'tenant' AND memory_is_visible(c.tenant_id, c.visibility, c.owner_type,
            c.owner_id, c.created_by, c.expires_at, :'viewer'))
        OR (:'scope' = 'public' AND c.visibility = 'public' AND c.tenant_id <> :'tenant'
            AND (c.expires_at IS NULL OR c.expires_at > now())))
    AND c.model = :'model' AND c.embedding IS NOT NULL
    AND (:'type' = '' OR c.type = :'type')
    AND (:'owner_type' = '' OR c.owner_type = :'owner_type')
    AND (:'owner_id' = '' OR c.owner_id = :'owner_id')
    AND (:'owners' = '{}' OR (c.owner_id = ANY(:'owner_ids') AND c.owner_type || ':' || c.owner_id = ANY(:'owners')
        AND (c.owner_type <> 'user' OR c.created_by = :'user')))
    AND (:'metadata' = '{}' OR c.metadata @> :'metadata')
ORDER BY (c.embedding::halfvec(:'dimension')) <#> :'vector'::halfvec(:'dimension') LIMIT :'limit';

-- name: count_candidates
-- How many chunks the filters leave, counted no further than the limit.
SELECT count(*) FROM (
    SELECT FROM memory_memorychunk c
    WHERE ((:'scope' = 'tenant' AND c.tenant_id = :'tenant' AND memory_is_visible(c.tenant_id, c.visibility, c.owner_type,
                c.owner_id, c.created_by, c.expires_at, :'viewer'))
            OR (:'scope' = 'public' AND c.visibility = 'public' AND c.tenant_id <> :'tenant'
                AND (c.expires_at IS NULL OR c.expires_at > now())))
        AND c.model = :'model'
        AND (:'type' = '' OR c.type = :'type')
        AND (:'owner_type' = '' OR c.owner_type = :'owner_type')
        AND (:'owner_id' = '' OR c.owner_id = :'owner_id')
        AND (:'owners' = '{}' OR (c.owner_id = ANY(:'owner_ids') AND c.owner_type || ':' || c.owner_id = ANY(:'owners')
            AND (c.owner_type <> 'user' OR c.created_by = :'user')))
        AND (:'metadata' = '{}' OR c.metadata @> :'metadata')
    LIMIT :'limit') AS candidate;

-- name: by_words
-- The memories that have some of the words, those first that have more of them, and closer together. The tenant and the
-- visibility are words as well (memory/models/entry.py), so that one index serves all tenants.
WITH query AS (
    SELECT replace(plainto_tsquery('simple', :'words')::text, '&', '|')::tsquery AS any_word,
        to_tsquery('simple', CASE :'scope' WHEN 'tenant' THEN 'tenant' ELSE 'visibilitypublic & !tenant' END
            || md5(:'tenant')) AS place
), matching AS (
    SELECT e.id, e.words FROM memory_memoryentry e, query q
    WHERE e.words @@ (q.place && q.any_word)
        AND ((:'scope' = 'tenant' AND e.tenant_id = :'tenant' AND memory_is_visible(e.tenant_id, e.visibility,
                e.owner_type, e.owner_id, e.created_by, e.expires_at, :'viewer'))
            OR (:'scope' = 'public' AND e.visibility = 'public' AND e.tenant_id <> :'tenant'
                AND (e.expires_at IS NULL OR e.expires_at > now())))
        AND (:'type' = '' OR e.type = :'type')
        AND (:'owner_type' = '' OR e.owner_type = :'owner_type')
        AND (:'owner_id' = '' OR e.owner_id = :'owner_id')
        AND (:'owners' = '{}' OR (e.owner_id = ANY(:'owner_ids') AND e.owner_type || ':' || e.owner_id = ANY(:'owners')
            AND (e.owner_type <> 'user' OR e.created_by = :'user')))
        AND (:'metadata' = '{}' OR e.metadata @> :'metadata')
    LIMIT :'max_matches'
)
SELECT m.id FROM matching m, query q ORDER BY ts_rank_cd(m.words, q.any_word) DESC LIMIT :'limit';

-- name: cosines
-- (memory, cosine of its nearest chunk) of these memories.
SELECT c.entry_id, max(-(c.embedding <#> :'vector'::halfvec)) FROM memory_memorychunk c
WHERE c.entry_id = ANY(:'entries') AND c.model = :'model' AND c.embedding IS NOT NULL
GROUP BY c.entry_id;

-- name: word_statistics
-- PostgreSQL's own statistics: the commonest words of all memories, the share of memories with each, the number of
-- memories. Behind the shares of the words stand their least and greatest.
SELECT s.most_common_elems::text::text[], s.most_common_elem_freqs, greatest(c.reltuples, 0)
FROM pg_class c LEFT JOIN pg_stats s ON s.schemaname = c.relnamespace::regnamespace::text AND s.tablename = c.relname
    AND s.attname = 'words'
WHERE c.oid = 'memory_memoryentry'::regclass;
