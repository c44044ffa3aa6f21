"""The audit log and its chain of hashes."""

from django.db import models
from django.db.models.functions import Now

from accounts.tenancy.tenant_model import TenantModel


class AuditEntry(TenantModel):
    """Something that was done, and by whom. A trigger refuses to change or delete one."""

    append_only = True

    id = models.BigAutoField(primary_key=True)
    # Hot table: two rows per run. Null: a login to an account that is not there.
    tenant = models.ForeignKey(  # type: ignore[assignment]
        "accounts.Tenant", models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    user_id = models.UUIDField(null=True)
    on_behalf_of = models.CharField(max_length=128, blank=True, db_default="")
    agent_id = models.CharField(max_length=128, blank=True, db_default="")
    key_id = models.UUIDField(null=True, help_text="The API key that was used, if one was.")
    action = models.CharField(max_length=64)
    resource_type = models.CharField(max_length=64)
    resource_id = models.CharField(max_length=255, blank=True, db_default="")
    before = models.JSONField(null=True, help_text="The resource as it was; secrets masked.")
    after = models.JSONField(null=True, help_text="The resource as it is now; secrets masked.")
    ip_address = models.CharField(max_length=64, blank=True, db_default="")
    user_agent = models.CharField(max_length=300, blank=True, db_default="")
    trace_id = models.CharField(max_length=128, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_of_tenant"),
            models.Index(fields=["resource_id"], name="audit_of_resource"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource_type} {self.resource_id}"


class AuditSeal(TenantModel):
    """A link of a tenant's chain: the SHA-256 over the hash before and all of one entry."""

    append_only = True

    seq = models.BigIntegerField(help_text="1, 2, 3 … without a gap.")
    entry_id = models.BigIntegerField(unique=True)
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "seq"], name="audit_seal_seq")]

    def __str__(self) -> str:
        return f"{self.seq}: {self.hash[:12]}"
