"""Standing limits: so much a day or month for a tenant, a user, an app, a team, an agent."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from governance.models import Budget, BudgetLimit


@dataclass(frozen=True)
class Standing:
    """One limit, and whom it is about."""

    id: UUID
    scope: str
    scope_id: str


def limits_of(tenant_id: str) -> list[Standing]:
    """The tenant's standing limits."""
    rows = BudgetLimit.objects.for_tenant(tenant_id).values_list("pk", "scope", "scope_id")
    return [Standing(*row) for row in rows]


def concerning(limits: Iterable[Standing], who: dict[str, str]) -> list[UUID]:
    """The ids of the limits that a call comes under; `who` says its user, app, team and agent, "" for none."""
    return [one.id for one in limits if one.scope == "tenant" or (one.scope_id and who.get(one.scope) == one.scope_id)]


def change(limit: BudgetLimit) -> None:
    """Save the limit; its new amounts hold for the period under way at once."""
    with transaction.atomic():
        limit.save()
        amounts = {"cost_limit_micro": limit.cost_limit_micro, "calls_limit": limit.calls_limit}
        Budget.objects.for_tenant(limit.tenant_id).filter(limit_id=limit.pk).update(**amounts, warned_at=None)
