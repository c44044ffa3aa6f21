import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("orchestration", "0003_approvals"),
    ]

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("position", models.PositiveIntegerField(help_text="Order of the calls.")),
                ("step", models.CharField(max_length=255)),
                ("tool_id", models.CharField(max_length=128)),
                ("agent_id", models.CharField(blank=True, max_length=128)),
                (
                    "kind",
                    models.CharField(
                        help_text="file, memory, database, or how the tool works: http, remote, …", max_length=16
                    ),
                ),
                ("target", models.CharField(max_length=2000)),
                ("arguments", models.JSONField(help_text="The call's checked input.")),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("base", models.JSONField(default=dict, help_text="What must not have moved when it is applied.")),
                ("reason", models.TextField(blank=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("staged", "Staged"),
                            ("applying", "Applying"),
                            ("applied", "Applied"),
                            ("discarded", "Discarded"),
                        ],
                        default="staged",
                        max_length=16,
                    ),
                ),
                ("error", models.TextField(blank=True, help_text="Why the last try to apply it failed.")),
                ("outcome", models.JSONField(help_text="What the tool answered when it was applied.", null=True)),
                ("apply_run_id", models.UUIDField(null=True)),
                ("settled_by", models.UUIDField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="orchestration.run",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "run", "position"], name="change_of_run")],
                "constraints": [models.UniqueConstraint(fields=("run", "step"), name="change_once")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
