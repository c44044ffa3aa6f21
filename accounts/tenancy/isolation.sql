-- Row-level security: PostgreSQL itself keeps tenants apart (docs/decisions/011).
-- Run after each migration by isolation.py, the statements about tables once for each tenant's table.

\set table accounts_apikey
\set condition 'tenant_id IS NULL'

-- name: make_roles
-- Requests work as regente_app, engines and tasks as regente_worker; neither logs in, owns anything or passes policies.
-- Who makes a role may grant it, but from PostgreSQL 16 on may not act as it before.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['regente_app', 'regente_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', name);
        END IF;
        BEGIN
            EXECUTE format('GRANT %I TO CURRENT_USER', name);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE '% was created and granted by another role', name;
        END;
    END LOOP;
END $$;

-- name: grant_rows
-- Both roles read and write rows; neither changes a table's structure.
GRANT USAGE ON SCHEMA public TO regente_app, regente_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO regente_app, regente_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO regente_app, regente_worker;

-- name: isolate_table
-- A request sees the rows of the tenant that its transaction is bound to, and none before it is bound to one.
ALTER TABLE :"table" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_rows ON :"table";
CREATE POLICY tenant_rows ON :"table" TO regente_app USING (tenant_id = current_setting('regente.tenant', true));
DROP POLICY IF EXISTS all_rows ON :"table";
CREATE POLICY all_rows ON :"table" TO regente_worker, CURRENT_USER USING (true);
DROP POLICY IF EXISTS shared_rows ON :"table";

-- name: share_rows
-- Rows that every tenant may read: TenantModel.shared_rows is the condition.
CREATE POLICY shared_rows ON :"table" FOR SELECT TO regente_app USING (:condition);

-- name: forbid_changes
-- TenantModel.append_only: rows are added, and never changed or deleted.
REVOKE UPDATE, DELETE, TRUNCATE ON :"table" FROM regente_app, regente_worker;

-- name: make_member_functions
-- Who is asking is looked up before there is a tenant: by exactly these two functions, which see what their owner sees.
DROP FUNCTION IF EXISTS accounts_member_of_token, accounts_member_of_key;
CREATE FUNCTION accounts_member_of_token(token_user uuid, token_stamp text)
RETURNS TABLE (user_id uuid, tenant_id varchar, role varchar)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN QUERY SELECT m.user_id, m.tenant_id, m.role
    FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE u.is_active AND u.id = token_user AND u.stamp = token_stamp;
END $$;
CREATE FUNCTION accounts_member_of_key(digest text)
RETURNS TABLE (user_id uuid, tenant_id varchar, role varchar, permissions varchar[], key_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN QUERY SELECT m.user_id, m.tenant_id, m.role, k.permissions::varchar[], k.id
    FROM accounts_apikey k JOIN accounts_membership m ON m.user_id = k.user_id AND m.tenant_id = k.tenant_id
    JOIN accounts_user u ON u.id = k.user_id
    WHERE u.is_active AND k.key_hash = digest AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > now());
END $$;
REVOKE ALL ON FUNCTION accounts_member_of_token, accounts_member_of_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_member_of_token, accounts_member_of_key TO regente_app, regente_worker;

-- name: grant_functions
-- The catalogue's owner takes some functions from everybody (memory's migrations do, for the SQL of models); these the
-- product uses. Only a superuser may grant them.
DO $$
DECLARE function regprocedure;
BEGIN
    FOR function IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
            AND p.proname ~ '^(set_config|pg_advisory_.*|pg_try_advisory_.*)$'
            AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO regente_app, regente_worker', function);
    END LOOP;
END $$;
