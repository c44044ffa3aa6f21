import uuid

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("governance", "0005_audit"),
    ]

    operations = [
        migrations.CreateModel(
            name="BudgetLimit",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("tenant", "Tenant"),
                            ("user", "User"),
                            ("app", "App"),
                            ("team", "Team"),
                            ("agent", "Agent"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "scope_id",
                    models.CharField(blank=True, help_text="The id of the user, app, team or agent.", max_length=128),
                ),
                ("period", models.CharField(choices=[("day", "Day"), ("month", "Month")], max_length=8)),
                ("cost_limit_micro", models.BigIntegerField(help_text="Micro-USD; empty = no limit.", null=True)),
                ("calls_limit", models.PositiveIntegerField(help_text="Model calls; empty = no limit.", null=True)),
                ("created_by", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "verbose_name": "budget",
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="budget",
            name="budget_of",
        ),
        migrations.AddField(
            model_name="budget",
            name="limit_id",
            field=models.UUIDField(help_text="The standing limit; null = a run's own.", null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="starts_on",
            field=models.DateField(help_text="The first day of the period.", null=True),
        ),
        migrations.AddField(
            model_name="budget",
            name="warned_at",
            field=models.DateTimeField(help_text="When four fifths of it were used or held.", null=True),
        ),
        migrations.AlterField(
            model_name="budget",
            name="held_calls",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="budget",
            name="held_micro",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="budget",
            name="scope_id",
            field=models.CharField(max_length=128),
        ),
        migrations.AlterField(
            model_name="budget",
            name="spent_calls",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="budget",
            name="spent_micro",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(
                condition=models.Q(("limit_id", None)), fields=("scope", "scope_id"), name="budget_of"
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(fields=("limit_id", "starts_on"), name="budget_of_period"),
        ),
        migrations.AddField(
            model_name="budgetlimit",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetlimit",
            constraint=models.UniqueConstraint(
                fields=("tenant", "scope", "scope_id", "period"), name="budget_limit_of"
            ),
        ),
    ]
