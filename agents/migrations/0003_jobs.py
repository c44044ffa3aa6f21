import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("agents", "0002_conversations"),
    ]

    operations = [
        migrations.CreateModel(
            name="AgentJob",
            fields=[
                ("run_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("related_type", models.CharField(blank=True, max_length=100)),
                ("related_id", models.UUIDField(null=True)),
                ("callback_url", models.TextField(blank=True)),
                ("callback_run_id", models.UUIDField(help_text="The run that delivers the callback.", null=True)),
                ("sealed", models.TextField(blank=True, help_text="The callback's own signing secret, encrypted.")),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "related_type", "related_id"], name="job_by_related")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
