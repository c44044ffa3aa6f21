from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("governance", "0007_names"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="policydecision",
            index=models.Index(
                condition=models.Q(("result", "denied")), fields=["tenant", "created_at"], name="decision_denied"
            ),
        ),
    ]
