"""Daily and monthly limits of a tenant, a user, an app, a team or an agent."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from governance.models import Budget, BudgetLimit


@dataclass(frozen=True)
class LimitScope:
    """The id of a limit, and the tenant, user, app, team or agent that it applies to."""

    id: UUID
    scope: str
    scope_id: str


def limits_of(tenant_id: str) -> list[LimitScope]:
    """All daily and monthly limits of the tenant."""
    rows = BudgetLimit.objects.for_tenant(tenant_id).values_list("pk", "scope", "scope_id")
    return [LimitScope(*row) for row in rows]


def applicable_limits(limits: Iterable[LimitScope], scope_ids: dict[str, str]) -> list[UUID]:
    """The ids of the limits that apply to a call; `scope_ids`: {user, app, team, agent: id}, "" for none."""
    return [
        one.id for one in limits if one.scope == "tenant" or (one.scope_id and scope_ids.get(one.scope) == one.scope_id)
    ]


def save_limit(limit: BudgetLimit) -> None:
    """Save the limit; its new amounts apply to the current period at once."""
    with transaction.atomic():
        limit.save()
        amounts = {"cost_limit_micro": limit.cost_limit_micro, "calls_limit": limit.calls_limit}
        Budget.objects.for_tenant(limit.tenant_id).filter(limit_id=limit.pk).update(**amounts, warned_at=None)
