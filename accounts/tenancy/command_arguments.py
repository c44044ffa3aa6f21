"""Arguments of management commands that name a tenant."""

from django.core.management.base import CommandError

from accounts.models import Tenant


def find_tenants(ids: list[str]) -> list[Tenant]:
    """These tenants in the order of their ids, all there are when none is named; CommandError for an unknown one."""
    rows = Tenant.objects.order_by("pk")
    if not ids:
        return list(rows)
    tenants = list(rows.filter(pk__in=ids))
    if unknown := [id for id in ids if id not in {tenant.pk for tenant in tenants}]:
        raise CommandError(f"There is no tenant {', '.join(map(repr, unknown))}; name tenants by their ids.")
    return tenants
