"""Answers keep the order of their keys: json in place of jsonb. memory/0004 makes the view of runs again."""

from django.db import migrations

import config.database.ordered_json


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0010_list_indexes"),
    ]

    operations = [
        migrations.RunSQL("DROP VIEW IF EXISTS regente_views.runs", migrations.RunSQL.noop),
        *(
            migrations.AlterField(model, name, config.database.ordered_json.OrderedJSONField(null=True, help_text=help))
            for model, name, help in (
                ("run", "result", ""),
                ("step", "output", ""),
                ("change", "before", ""),
                ("change", "after", ""),
                ("change", "outcome", "What the tool answered when it was applied."),
            )
        ),
    ]
