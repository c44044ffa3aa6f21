"""Tenancy is the default: every tenant-owned row is a TenantModel, and `objects` opens only with a tenant in hand."""

from typing import TYPE_CHECKING, Generic, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from accounts.models import Tenant

M = TypeVar("M", bound="TenantModel")


class TenantRows(Generic[M]):
    """Gives rows of one tenant and nothing else: it has no all() or filter() in which the tenant could be forgotten."""

    def __init__(self, model: type[M]) -> None:
        self.model = model

    def for_tenant(self, tenant: "Tenant | str") -> models.QuerySet[M]:
        """The rows of this tenant (a Tenant or its id)."""
        return self.model.all_tenants.filter(tenant_id=getattr(tenant, "pk", tenant))

    def none(self) -> models.QuerySet[M]:
        """No rows: what tools that only look at a model's fields ask for."""
        return self.model.all_tenants.none()


class _Objects:
    """Descriptor: `Model.objects` is that model's TenantRows."""

    def __get__(self, row: None, model: type[M]) -> TenantRows[M]:
        return TenantRows(model)


class TenantModel(models.Model):
    """Base of every tenant-owned table. `all_tenants` is the one path past the tenant, for workers and operators."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    all_tenants: models.Manager[Self] = models.Manager()
    objects = _Objects()

    class Meta:
        abstract = True
