from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("orchestration", "0002_apps"),
    ]

    operations = [
        migrations.AddField(
            model_name="approval",
            name="arguments",
            field=models.JSONField(help_text="Those of the call that is asked about.", null=True),
        ),
        migrations.AddField(
            model_name="approval",
            name="digest",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="approval",
            name="edited",
            field=models.JSONField(help_text="The arguments that were approved instead.", null=True),
        ),
        migrations.AddField(
            model_name="approval",
            name="executed_at",
            field=models.DateTimeField(help_text="When the approved call had been made.", null=True),
        ),
        migrations.AddField(
            model_name="approval",
            name="four_eyes",
            field=models.BooleanField(db_default=False, default=False, help_text="Not whoever started the run."),
        ),
        migrations.AddField(
            model_name="approval",
            name="kind",
            field=models.CharField(db_default="gate", default="gate", max_length=16),
        ),
        migrations.AddField(
            model_name="approval",
            name="policy_id",
            field=models.UUIDField(help_text="The policy that asks.", null=True),
        ),
        migrations.AddField(
            model_name="approval",
            name="told",
            field=models.BooleanField(
                db_default=False, default=False, help_text="The decision is in the run's events."
            ),
        ),
        migrations.AddField(
            model_name="approval",
            name="tool_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=128),
        ),
        migrations.AddField(
            model_name="run",
            name="policy",
            field=models.JSONField(
                help_text="What the policies said of its start, when they said something.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="approval",
            index=models.Index(
                condition=models.Q(("approved__isnull", True)),
                fields=["tenant", "created_at"],
                name="approval_open_of_tenant",
            ),
        ),
    ]
