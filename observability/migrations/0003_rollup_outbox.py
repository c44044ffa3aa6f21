from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("observability", "0002_rollups")]

    operations = [
        migrations.SeparateDatabaseAndState(  # the table keeps its name
            state_operations=[
                migrations.RenameModel("Uncounted", "RollupOutbox"),
                migrations.AlterModelTable("RollupOutbox", "observability_uncounted"),
            ],
        ),
    ]
