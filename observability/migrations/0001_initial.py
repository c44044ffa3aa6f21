import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "number",
                    models.PositiveIntegerField(
                        help_text="Counts the tenant's alerts; what root_cause is asked about."
                    ),
                ),
                ("alert_config_id", models.UUIDField()),
                ("name", models.CharField(max_length=255)),
                (
                    "rule_type",
                    models.CharField(
                        choices=[
                            ("error_rate", "Error Rate"),
                            ("budget_exceeded", "Budget Exceeded"),
                            ("policy_denials", "Policy Denials"),
                            ("memory_usage", "Memory Usage"),
                            ("rate_limit", "Rate Limit"),
                        ],
                        max_length=32,
                    ),
                ),
                ("value", models.JSONField(help_text="{value, threshold, operator, window_minutes, …}")),
                ("message", models.TextField()),
                ("sealed", models.TextField(help_text="The channels as they were when it fired.")),
                ("triggered_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by", models.UUIDField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "alert_config_id", "-triggered_at"], name="alert_of_rule")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "number"), name="alert_number")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AlertConfig",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                (
                    "rule_type",
                    models.CharField(
                        choices=[
                            ("error_rate", "Error Rate"),
                            ("budget_exceeded", "Budget Exceeded"),
                            ("policy_denials", "Policy Denials"),
                            ("memory_usage", "Memory Usage"),
                            ("rate_limit", "Rate Limit"),
                        ],
                        max_length=32,
                    ),
                ),
                ("rule_config", models.JSONField(help_text="{threshold, window_minutes, operator}")),
                (
                    "sealed",
                    models.TextField(help_text="The channels, [{type, config}], sealed: they hold tokens and keys."),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("created_by", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "alert rule",
                "indexes": [models.Index(fields=["tenant", "-created_at"], name="alert_rule_of_tenant")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
