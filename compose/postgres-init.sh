#!/bin/sh
# Run once by the image of PostgreSQL, as its superuser, on an empty volume: the database, and the role that Regente
# works as, which is no superuser. Run it by hand on a server of your own: PGHOST=… PGUSER=postgres PGPASSWORD=…
# DATABASE_PASSWORD=… sh compose/postgres-init.sh
set -eu
psql --set ON_ERROR_STOP=1 --set password="$DATABASE_PASSWORD" --username "${PGUSER:-${POSTGRES_USER:-postgres}}" \
    --dbname postgres --no-psqlrc --quiet <<'SQL'
-- CREATEROLE: a tenant's data store has two logins of its own. The owner's tables are shown to it by policies.
CREATE ROLE regente LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOBYPASSRLS PASSWORD :'password';
CREATE ROLE regente_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE regente_worker NOLOGIN NOSUPERUSER NOBYPASSRLS;
GRANT regente_app, regente_worker TO regente;
CREATE DATABASE regente OWNER regente;
\connect regente
CREATE EXTENSION IF NOT EXISTS vector;
-- Functions that no statement of a model's has a use for: the owner of the catalogue alone can take them from everybody.
-- memory/migrations/0002_platform_views.py does the same where DATABASE_URL's role is a superuser.
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ ('^(set_config|pg_sleep|pg_sleep_for'
            || '|pg_sleep_until|pg_notify|pg_advisory_.*|pg_try_advisory_.*|pg_cancel_backend|pg_terminate_backend|lo_.*'
            || '|loread|lowrite|query_to_xml.*|table_to_xml.*|schema_to_xml.*|database_to_xml.*|cursor_to_xml.*'
            || '|pg_export_snapshot|pg_logical_emit_message)$')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO regente', name);
        IF name ~ '^(set_config|pg_advisory_.*|pg_try_advisory_.*)\(' THEN  -- what Regente itself calls
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO regente_app, regente_worker', name);
        END IF;
    END LOOP;
END $$;
SQL
