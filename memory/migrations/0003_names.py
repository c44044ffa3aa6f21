from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("memory", "0002_platform_views"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="memoryentry",
            options={"verbose_name_plural": "memory entries"},
        ),
    ]
