"""Indexes by which a claim finds code tasks, and how many of them each user has under way, without the rest."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0006_deaths")]

    operations = [
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["tenant", "created_by"],
                name="run_task_begun",
                condition=Q(kind="task", status__in=("running", "paused")),
            ),
        ),
        migrations.RunSQL(
            """
            CREATE INDEX run_task_queue ON orchestration_run
                (tenant_id, created_by, ((due_at AT TIME ZONE 'UTC') - priority * interval '30 seconds'))
                WHERE owner IS NULL AND due_at IS NOT NULL AND kind = 'task'
            """,
            "DROP INDEX run_task_queue",
        ),
    ]
