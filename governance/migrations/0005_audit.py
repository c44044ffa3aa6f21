import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
from django.db import migrations, models

APPEND_ONLY = """
CREATE FUNCTION governance_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON governance_auditentry
    FOR EACH ROW EXECUTE FUNCTION governance_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON governance_auditseal
    FOR EACH ROW EXECUTE FUNCTION governance_append_only();
"""
UNDONE = """
DROP TRIGGER append_only ON governance_auditentry;
DROP TRIGGER append_only ON governance_auditseal;
DROP FUNCTION governance_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("governance", "0004_decision_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("user_id", models.UUIDField(null=True)),
                ("on_behalf_of", models.CharField(blank=True, db_default="", max_length=128)),
                ("agent_id", models.CharField(blank=True, db_default="", max_length=128)),
                ("key_id", models.UUIDField(help_text="The API key that was used, if one was.", null=True)),
                ("action", models.CharField(max_length=64)),
                ("resource_type", models.CharField(max_length=64)),
                ("resource_id", models.CharField(blank=True, db_default="", max_length=255)),
                ("before", models.JSONField(help_text="The resource as it was; secrets masked.", null=True)),
                ("after", models.JSONField(help_text="The resource as it is now; secrets masked.", null=True)),
                ("ip_address", models.CharField(blank=True, db_default="", max_length=64)),
                ("user_agent", models.CharField(blank=True, db_default="", max_length=300)),
                ("trace_id", models.CharField(blank=True, db_default="", max_length=128)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="audit_of_tenant"),
                    models.Index(fields=["resource_id"], name="audit_of_resource"),
                ],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.BigIntegerField(help_text="1, 2, 3 … without a gap.")),
                ("entry_id", models.BigIntegerField(unique=True)),
                ("hash", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.tenant"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "seq"), name="audit_seal_seq")],
            },
            managers=[
                ("all_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(APPEND_ONLY, UNDONE),
    ]
