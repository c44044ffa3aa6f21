"""What tenants may read of the platform's own tables, and functions that no statement of a model's has a use for.

The views show the rows of the tenant whose login asks: `regente_views.tenant()` looks it up by session_user, which no
statement changes. One set of views serves all tenants, and tells nothing of any of them. Conversations are not shown:
they are their users' own.
"""

from typing import Any

from django.db import migrations

VIEWS = """
CREATE SCHEMA IF NOT EXISTS regente_views;
CREATE OR REPLACE FUNCTION regente_views.tenant() RETURNS varchar LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public AS $$
    SELECT tenant_id FROM public.memory_datastore WHERE session_user IN (reader, writer)
$$;
CREATE OR REPLACE VIEW regente_views.workflows WITH (security_barrier) AS
    SELECT id, name, version, type, description, revision, created_at, updated_at
    FROM public.orchestration_workflow WHERE tenant_id = (SELECT regente_views.tenant());
CREATE OR REPLACE VIEW regente_views.runs WITH (security_barrier) AS
    SELECT id, kind, subject_id AS workflow_id, status, mode, failure_reason, input, result, app_id, app_action_id,
        llm_calls, cost_micro / 10000.0 AS cost_cents, prompt_tokens, completion_tokens, parent_id,
        created_at, started_at, finished_at
    FROM public.orchestration_run WHERE tenant_id = (SELECT regente_views.tenant()) AND kind <> 'conversation';
CREATE OR REPLACE VIEW regente_views.steps WITH (security_barrier) AS
    SELECT run_id, name, position, node_id, type, status, error, tries, started_at, finished_at
    FROM public.orchestration_step s WHERE tenant_id = (SELECT regente_views.tenant())
    AND NOT EXISTS (SELECT FROM public.orchestration_run r WHERE r.id = s.run_id AND r.kind = 'conversation');
CREATE OR REPLACE VIEW regente_views.events WITH (security_barrier) AS
    SELECT run_id, seq, kind, step, payload, ts
    FROM public.orchestration_runevent e WHERE tenant_id = (SELECT regente_views.tenant())
    AND NOT EXISTS (SELECT FROM public.orchestration_run r WHERE r.id = e.run_id AND r.kind = 'conversation');
REVOKE ALL ON SCHEMA regente_views FROM PUBLIC;
REVOKE ALL ON FUNCTION regente_views.tenant() FROM PUBLIC;
"""
UNDO = "DROP SCHEMA IF EXISTS regente_views CASCADE"
NO_USE = (
    "set_config|pg_sleep|pg_sleep_for|pg_sleep_until|pg_notify|pg_advisory_.*|pg_try_advisory_.*|pg_cancel_backend"
    "|pg_terminate_backend|lo_.*|loread|lowrite|query_to_xml.*|table_to_xml.*|schema_to_xml.*|database_to_xml.*"
    "|cursor_to_xml.*|pg_export_snapshot|pg_logical_emit_message"
)


def revoke(apps: Any, schema_editor: Any) -> None:
    """Take these functions from everybody but ourselves, where we are allowed to (the catalogue's owner alone is).

    Elsewhere the statement timeout, the login's rights and the gate stand without it.
    """
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, current_user FROM pg_roles WHERE rolname = current_user")
        is_superuser, me = cursor.fetchone()
        if not is_superuser:
            return
        cursor.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = 'pg_catalog' AND p.proname ~ %s",
            [f"^({NO_USE})$"],
        )
        for (function,) in cursor.fetchall():
            cursor.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
            cursor.execute(f'GRANT EXECUTE ON FUNCTION {function} TO "{me}"')


class Migration(migrations.Migration):
    dependencies = [("memory", "0001_initial"), ("orchestration", "0002_apps")]

    operations = [
        migrations.RunSQL(VIEWS, UNDO),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
