import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0005_origin"),
    ]

    operations = [
        migrations.CreateModel(
            name="EngineDeath",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("owner", models.CharField(max_length=64)),
                ("host", models.CharField(max_length=255)),
                ("pid", models.PositiveIntegerField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="run",
            name="held_against",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="Those of them that it may have caused (claims.SWEEP)."
            ),
        ),
    ]
