import uuid

import django.db.models.deletion
import django.db.models.manager
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("orchestration", "0006_deaths"),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamExecution",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("orchestration.run",),
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ExecutionKeys",
            fields=[
                ("run_id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("sealed", models.TextField(help_text="Encrypted (governance/vault.py).")),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Team",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True)),
                ("agent_ids", models.JSONField(default=list)),
                (
                    "workflow_definition",
                    models.JSONField(help_text="{type, agents: [{agent_id, role, execution_order, input, …}]}"),
                ),
                (
                    "team_config",
                    models.JSONField(default=dict, help_text="{provider?, model?, temperature?, max_tokens?}"),
                ),
                (
                    "sealed",
                    models.TextField(blank=True, help_text="Its own provider keys, encrypted (governance/vault.py)."),
                ),
                ("is_active", models.BooleanField(default=True)),
                ("created_by", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "-created_at"], name="team_of_tenant")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
