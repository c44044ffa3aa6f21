"""Budgets over REST: limits as they are set, and what is spent, held and left of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from rest_framework import serializers

from config.errors import Invalid
from config.http.fields import CharField, ChoiceField, FloatField, IntegerField, StrictModelSerializer
from governance.budgets.reservations import MICRO_PER_CENT
from governance.models import Budget, BudgetLimit, BudgetScope, Period

MAX_CENTS, MAX_CALLS = 10**12, 2**31 - 1


class BudgetQuery(serializers.Serializer):
    """The filters of GET /budgets; `run` shows those of single runs."""

    scope = ChoiceField([*BudgetScope.values, "run"], required=False, allow_blank=True)
    scope_id = CharField(required=False, allow_blank=True, max_length=128)


class BudgetSerializer(StrictModelSerializer):
    """A standing limit with its counters of this period; of both amounts at least one must be set."""

    scope = ChoiceField(choices=BudgetScope.choices)
    scope_id = CharField(max_length=128, required=False, allow_blank=True, default="")
    period = ChoiceField(choices=Period.choices)
    limit_cents = FloatField(min_value=0, max_value=MAX_CENTS, required=False, allow_null=True)
    limit_calls = IntegerField(min_value=0, max_value=MAX_CALLS, required=False, allow_null=True)

    class Meta:
        model = BudgetLimit
        fields = ("id", "scope", "scope_id", "period", "limit_cents", "limit_calls", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Amounts in the units of the table; the scope's id where it needs one."""
        if "limit_cents" in attrs:
            cents = attrs.pop("limit_cents")
            attrs["cost_limit_micro"] = None if cents is None else round(cents * MICRO_PER_CENT)
        if "limit_calls" in attrs:
            attrs["calls_limit"] = attrs.pop("limit_calls")
        now = self.instance or BudgetLimit()
        merged = {name: attrs.get(name, getattr(now, name)) for name in ("cost_limit_micro", "calls_limit", "scope")}
        if merged["cost_limit_micro"] is None and merged["calls_limit"] is None:
            raise Invalid({"limit_cents": ["Set limit_cents, limit_calls, or both."]})
        scope_id = attrs.get("scope_id", now.scope_id)
        if merged["scope"] == BudgetScope.TENANT:
            attrs["scope_id"] = ""
        elif not scope_id:
            raise Invalid({"scope_id": [f"Name the {merged['scope']} by its id."]})
        return attrs

    def to_representation(self, instance: BudgetLimit) -> dict[str, Any]:
        """The limit and what is used of it."""
        kept = {name: super(BudgetSerializer, self).to_representation(instance)[name] for name in KEPT}
        used = Budget.objects.for_tenant(instance.tenant_id).filter(limit_id=instance.pk)
        starts = starts_on(instance.period)
        return kept | amounts(instance, used.filter(starts_on=starts).first()) | window(instance.period, starts)


KEPT = ("id", "scope", "scope_id", "period", "created_at", "updated_at")


def starts_on(period: str) -> date:
    """The first day of the period under way."""
    today = datetime.now(UTC).date()
    return today if period == Period.DAY else today.replace(day=1)


def window(period: str, starts: date) -> dict[str, str]:
    """When the period begins and ends."""
    after = starts + timedelta(days=1 if period == Period.DAY else 32)
    ends = after if period == Period.DAY else after.replace(day=1)
    return {"starts_at": f"{starts}T00:00:00Z", "ends_at": f"{ends}T00:00:00Z"}


def amounts(limit: BudgetLimit | Budget, used: Budget | None) -> dict[str, Any]:
    """Limits, and what is spent, held and left of them; null where there is no limit."""
    used = used or Budget()
    taken = {"micro": used.spent_micro + used.held_micro, "calls": used.spent_calls + used.held_calls}
    cost, calls = limit.cost_limit_micro, limit.calls_limit
    return {
        "limit_cents": cents(cost),
        "spent_cents": cents(used.spent_micro),
        "held_cents": cents(used.held_micro),
        "left_cents": None if cost is None else cents(max(cost - taken["micro"], 0)),
        "limit_calls": calls,
        "spent_calls": used.spent_calls,
        "held_calls": used.held_calls,
        "left_calls": None if calls is None else max(calls - taken["calls"], 0),
        "warning": used.warned_at is not None,
    }


def cents(micro: int | None) -> float | None:
    """Micro-USD in cents."""
    return None if micro is None else round(micro / MICRO_PER_CENT, 4)


class BudgetShape(serializers.Serializer):
    """A budget; `left` is what a call that begins now may cost."""

    id = serializers.CharField()
    scope = serializers.CharField()
    scope_id = serializers.CharField()
    period = serializers.CharField()
    limit_cents = serializers.FloatField(allow_null=True)
    spent_cents = serializers.FloatField()
    held_cents = serializers.FloatField()
    left_cents = serializers.FloatField(allow_null=True)
    limit_calls = serializers.IntegerField(allow_null=True)
    spent_calls = serializers.IntegerField()
    held_calls = serializers.IntegerField()
    left_calls = serializers.IntegerField(allow_null=True)
    warning = serializers.BooleanField(help_text="Four fifths are, or were, used or held.")
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField(required=False)


def run_budget_json(budget: Budget) -> dict[str, Any]:
    """A run's own budget in the same shape."""
    told = {"id": str(budget.pk), "scope": "run", "scope_id": budget.scope_id, "period": "run"}
    return told | amounts(budget, budget)
