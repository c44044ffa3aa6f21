import django.db.models.manager
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0003_jobs"),
        ("orchestration", "0007_tasks"),
    ]

    operations = [
        migrations.CreateModel(
            name="CodeTask",
            fields=[],
            options={
                "verbose_name": "code task",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("orchestration.run",),
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Job",
            fields=[],
            options={
                "verbose_name": "agent job",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("orchestration.run",),
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
