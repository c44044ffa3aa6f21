from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("orchestration", "0007_tasks"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="runevent",
            index=models.Index(
                condition=models.Q(("kind", "budget_exceeded")), fields=["tenant", "ts"], name="event_over_budget"
            ),
        ),
    ]
