"""The view of runs again, after their result has become json: here it stays jsonb, whose operators SQL is written with."""

from django.db import migrations

VIEW = """
DROP VIEW IF EXISTS regente_views.runs;
CREATE VIEW regente_views.runs WITH (security_barrier) AS
    SELECT id, kind, subject_id AS workflow_id, status, mode, failure_reason, input, result::jsonb AS result, app_id,
        app_action_id, llm_calls, cost_micro / 10000.0 AS cost_cents, prompt_tokens, completion_tokens, parent_id,
        created_at, started_at, finished_at
    FROM public.orchestration_run WHERE tenant_id = (SELECT regente_views.tenant()) AND kind <> 'conversation';
DO $$
DECLARE login text;
BEGIN
    FOR login IN SELECT d.reader FROM public.memory_datastore d JOIN pg_roles r ON r.rolname = d.reader LOOP
        EXECUTE format('GRANT SELECT ON regente_views.runs TO %I', login);
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("memory", "0003_names"), ("orchestration", "0011_ordered_answers")]

    operations = [migrations.RunSQL(VIEW, "DROP VIEW IF EXISTS regente_views.runs")]
