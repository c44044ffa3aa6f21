"""Whether a run's kind has a cap per user is a column of the run, which the claim's two indexes go by."""

from django.db import migrations, models
from django.db.models import Q

RANK = "((due_at AT TIME ZONE 'UTC') - priority * interval '30 seconds')"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("orchestration", "0013_solitary_engines")]

    operations = [
        migrations.AddField(
            "run",
            "has_user_cap",
            models.BooleanField(
                default=False, db_default=False, help_text="Its kind limits how many runs of a user may be under way."
            ),
        ),
        migrations.RunSQL(  # the one kind that had a cap so far
            """
            UPDATE orchestration_run SET has_user_cap = true
            WHERE kind = 'task' AND created_by IS NOT NULL AND status IN ('pending', 'running', 'paused')
            """,
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "DROP INDEX run_task_queue",
            f"""
            CREATE INDEX run_task_queue ON orchestration_run (tenant_id, created_by, {RANK})
                WHERE owner IS NULL AND due_at IS NOT NULL AND kind = 'task'
            """,
        ),
        migrations.RemoveIndex("run", "run_task_begun"),
        migrations.RunSQL(
            f"""
            CREATE INDEX run_capped_queue ON orchestration_run (tenant_id, kind, created_by, {RANK})
                WHERE owner IS NULL AND due_at IS NOT NULL AND has_user_cap
            """,
            "DROP INDEX run_capped_queue",
        ),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["tenant", "kind", "created_by"],
                name="run_capped_active",
                condition=Q(has_user_cap=True, status__in=("running", "paused")),
            ),
        ),
    ]
