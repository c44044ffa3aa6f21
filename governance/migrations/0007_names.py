from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0006_budgets"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="budget",
            options={"verbose_name": "budget in use", "verbose_name_plural": "budgets in use"},
        ),
    ]
