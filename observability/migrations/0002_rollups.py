import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

ENDS = "('run_completed', 'run_failed', 'run_cancelled')"
KINDS = "('llm_call', 'tool_call', 'budget_exceeded', 'run_paused', 'run_completed', 'run_failed', 'run_cancelled')"
# Triggers for each statement: the engine writes hundreds of events in one, and need not know who counts them. What was
# written before there were rollups is counted as well.
COUNT = f"""
-- In the order in which engines write to them.
LOCK TABLE governance_policydecision, orchestration_runevent IN SHARE ROW EXCLUSIVE MODE;
CREATE FUNCTION observability_note_events() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO observability_uncounted (tenant_id, run_id, seq, ends)
    SELECT tenant_id, run_id, seq, kind IN {ENDS} FROM written WHERE kind IN {KINDS};
    RETURN NULL;
END $$;
CREATE FUNCTION observability_note_decisions() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO observability_uncounted (tenant_id, ends, decision_id) SELECT tenant_id, false, id FROM written;
    RETURN NULL;
END $$;
CREATE TRIGGER observability_uncounted AFTER INSERT ON orchestration_runevent
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION observability_note_events();
CREATE TRIGGER observability_uncounted AFTER INSERT ON governance_policydecision
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION observability_note_decisions();
ALTER TABLE observability_uncounted SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
INSERT INTO observability_uncounted (tenant_id, run_id, seq, ends)
    SELECT tenant_id, run_id, seq, kind IN {ENDS} FROM orchestration_runevent WHERE kind IN {KINDS};
INSERT INTO observability_uncounted (tenant_id, ends, decision_id)
    SELECT tenant_id, false, id FROM governance_policydecision;
"""
UNDO = """
DROP TRIGGER observability_uncounted ON orchestration_runevent;
DROP TRIGGER observability_uncounted ON governance_policydecision;
DROP FUNCTION observability_note_events();
DROP FUNCTION observability_note_decisions();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("governance", "0008_alerts"),
        ("observability", "0001_initial"),
        ("orchestration", "0009_parked"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "measure",
                        "label",
                        "hour",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("measure", models.CharField(max_length=32)),
                ("label", models.CharField(blank=True, max_length=128)),
                ("hour", models.DateTimeField()),
                ("n", models.BigIntegerField()),
                ("total", models.FloatField(help_text="Milliseconds, micro-USD or tokens, as the measure has it.")),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Uncounted",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("run_id", models.UUIDField(null=True)),
                ("seq", models.PositiveIntegerField(null=True)),
                ("ends", models.BooleanField(default=False, help_text="It is the end of its run.")),
                ("decision_id", models.BigIntegerField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "uncounted",
                "indexes": [
                    models.Index(fields=["tenant"], name="uncounted_end", condition=models.Q(ends=True)),
                ],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(COUNT, UNDO),
    ]
