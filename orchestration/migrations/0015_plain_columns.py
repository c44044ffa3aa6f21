from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0014_user_caps")]

    operations = [
        migrations.RenameField("run", "poked", "is_notified"),
        migrations.RenameField("approval", "told", "is_recorded"),
        migrations.AlterField(
            model_name="run",
            name="due_at",
            field=models.DateTimeField(
                default=None, help_text="Claimable from then on; null = waits to be notified.", null=True
            ),
        ),
    ]
