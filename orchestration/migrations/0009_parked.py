from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("orchestration", "0008_alerts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("due_at", None), ("owner", None), ("status__in", ("pending", "running", "paused"))),
                fields=["tenant"],
                name="run_parked",
            ),
        ),
    ]
