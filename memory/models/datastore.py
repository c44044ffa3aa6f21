"""Which tenant a database role reads for: the platform's views look it up by who is logged in."""

from django.db import models

from accounts.tenancy.tenant_model import TenantModel


class DataStore(TenantModel):
    """A tenant's own tables: the schema that holds them, the roles that read and write it (datastore/roles.py)."""

    schema = models.CharField(max_length=63, unique=True)
    reader = models.CharField(max_length=63, unique=True)
    writer = models.CharField(max_length=63, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant"], name="datastore_of_tenant")]

    def __str__(self) -> str:
        return self.schema
