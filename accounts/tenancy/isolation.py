"""Row-level security: PostgreSQL itself keeps tenants apart, even where our code forgets a filter.

Requests work as the role APP, which sees the rows of the tenant that the transaction is bound to, and none before it is
bound to one. What must see all tenants works as the role WORKER: engines, tasks, and the few moments in a request that
tenancy.everywhere() marks. Both are without rights on the tables' structure, and neither may change the audit log.

All of it is made here, after each migration, for every TenantModel there is: a new table is isolated by itself.
"""

from typing import Any

from django.apps import apps
from django.db import connection
from psycopg import sql

from accounts.tenancy.tenant_model import APP, SETTING, WORKER, TenantModel

ROLES = """
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[{app}, {worker}] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', name);
        END IF;
        BEGIN  -- who makes a role may grant it, but from PostgreSQL 16 on may not act as it before
            EXECUTE format('GRANT %I TO CURRENT_USER', name);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE '% was made and granted by somebody else', name;
        END;
    END LOOP;
END $$
"""
GRANTS = """
GRANT USAGE ON SCHEMA public TO {app}, {worker};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}, {worker};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {app}, {worker};
"""
POLICIES = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_rows ON {table};
CREATE POLICY tenant_rows ON {table} TO {app} USING (tenant_id = current_setting({setting}, true));
DROP POLICY IF EXISTS all_rows ON {table};
CREATE POLICY all_rows ON {table} TO {worker}, CURRENT_USER USING (true);
DROP POLICY IF EXISTS shared_rows ON {table};
"""
SHARED = "CREATE POLICY shared_rows ON {table} FOR SELECT TO {app} USING ({condition})"
APPEND_ONLY = "REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {app}, {worker}"
# Who is asking is looked up before there is a tenant: by exactly these two questions, with WORKER's eyes.
WAY_IN = """
CREATE OR REPLACE FUNCTION accounts_member_of_token(wanted uuid, mark text)
RETURNS TABLE (user_id uuid, tenant_id varchar, role varchar)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    RETURN QUERY SELECT m.user_id, m.tenant_id, m.role
    FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE u.is_active AND u.id = wanted AND u.stamp = mark;
END $$;
CREATE OR REPLACE FUNCTION accounts_member_of_key(digest text)
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
GRANT EXECUTE ON FUNCTION accounts_member_of_token, accounts_member_of_key TO {app}, {worker};
"""


# The catalogue's owner takes some functions from everybody (memory's migrations do, for what models write); these the
# product uses.
OURS = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(set_config|pg_advisory_.*|pg_try_advisory_.*)$'
    AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""


def tenant_tables() -> list[type[TenantModel]]:
    """Every model whose rows belong to tenants."""
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


def secure(plan: Any = None, **_: Any) -> None:
    """Make roles, rights and policies as they should be; after each migration (`plan` is empty when there was none)."""
    if not plan:
        return
    names = {"app": sql.Identifier(APP), "worker": sql.Identifier(WORKER), "setting": sql.Literal(SETTING)}
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(ROLES).format(app=sql.Literal(APP), worker=sql.Literal(WORKER)))
        cursor.execute(sql.SQL(GRANTS).format(**names))
        for model in tenant_tables():
            table = sql.Identifier(model._meta.db_table)
            cursor.execute(sql.SQL(POLICIES).format(table=table, **names))
            if model.shared_rows:
                cursor.execute(sql.SQL(SHARED).format(table=table, condition=sql.SQL(model.shared_rows), **names))
            if model.append_only:
                cursor.execute(sql.SQL(APPEND_ONLY).format(table=table, **names))
        cursor.execute(sql.SQL(WAY_IN).format(**names))
        cursor.execute(OURS)
        for (function,) in cursor.fetchall():
            cursor.execute(sql.SQL(f"GRANT EXECUTE ON FUNCTION {function} TO {{app}}, {{worker}}").format(**names))
