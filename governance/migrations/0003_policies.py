import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models


def ship(apps, schema_editor):
    """A rule for operators to switch on (RULINGS §7)."""
    apps.get_model("governance", "Policy").all_tenants.create(
        name="High-risk tools require approval",
        description="In auto mode a person must say yes before a tool of high risk acts. Switch it on with enabled: true.",
        scope="global",
        rule_expr={"condition": {"risk_level": "high", "mode": "auto"}, "effect": "require_approval"},
        enabled=False,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("governance", "0002_vault"),
    ]

    operations = [
        migrations.CreateModel(
            name="Policy",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("global", "Global"),
                            ("tenant", "Tenant"),
                            ("app", "App"),
                            ("tool", "Tool"),
                            ("workflow", "Workflow"),
                            ("agent", "Agent"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "scope_id",
                    models.CharField(
                        blank=True, help_text="The id of the app, tool, workflow or agent.", max_length=128
                    ),
                ),
                (
                    "rule_expr",
                    models.JSONField(
                        help_text="{condition, effect, modify?, approval?} (governance/policies/rules.py)."
                    ),
                ),
                ("priority", models.IntegerField(default=100, help_text="The lowest number decides.")),
                ("enabled", models.BooleanField(default=True)),
                ("shadow", models.BooleanField(default=False, help_text="Only records what it would have done.")),
                ("version", models.PositiveIntegerField(default=1, help_text="Grows with each change.")),
                ("created_by", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "policies",
                "indexes": [models.Index(fields=["tenant", "scope", "scope_id"], name="policy_of_scope")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PolicyDecision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("action", models.CharField(help_text="run_start, agent_call, tool_call or apply.", max_length=16)),
                ("run_id", models.UUIDField(db_index=True, null=True)),
                ("step", models.CharField(blank=True, db_default="", default="", max_length=255)),
                ("result", models.CharField(help_text="allowed, denied or requires_approval.", max_length=20)),
                (
                    "policy_id",
                    models.UUIDField(help_text="The one that decided; null = none, which allows.", null=True),
                ),
                ("explanation", models.TextField()),
                ("matched", models.JSONField(default=list, help_text="[{policy_id, name, version, effect, because}]")),
                ("shadowed", models.JSONField(default=list, help_text="The same for shadow policies.")),
                ("modified", models.JSONField(default=dict, help_text="What modify policies changed.")),
                (
                    "context",
                    models.JSONField(help_text="What the conditions saw; long inputs are left out (truncated: true)."),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "-id"], name="decision_of_tenant")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunPython(ship, migrations.RunPython.noop),
    ]
