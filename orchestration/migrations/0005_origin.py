from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0004_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="origin",
            field=models.JSONField(help_text="{role, ip_address, user_agent, key_id}: who asked for it.", null=True),
        ),
    ]
