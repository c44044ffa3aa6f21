"""Budgets: limits in requests; in responses also what is spent, reserved and left of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from rest_framework import serializers

from config.errors import Invalid
from config.http.fields import CharField, ChoiceField, FloatField, IntegerField, StrictModelSerializer
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from governance.models import Budget, BudgetLimit, BudgetScope, Period
from governance.serializers.money import CentsField

MAX_CENTS, MAX_CALLS = 10**12, 2**31 - 1


class BudgetQuery(serializers.Serializer):
    """The filters of GET /budgets; `run` shows those of single runs."""

    scope = ChoiceField([*BudgetScope.values, "run"], required=False, allow_blank=True)
    scope_id = CharField(required=False, allow_blank=True, max_length=128)


class BudgetRequest(StrictModelSerializer):
    """A limit by day or month; of both amounts at least one must be set."""

    example = {"scope": "tenant", "period": "month", "limit_cents": 5_000}

    scope = ChoiceField(choices=BudgetScope.choices)
    scope_id = CharField(max_length=128, required=False, allow_blank=True, default="")
    period = ChoiceField(choices=Period.choices)
    limit_cents = FloatField(min_value=0, max_value=MAX_CENTS, required=False, allow_null=True)
    limit_calls = IntegerField(min_value=0, max_value=MAX_CALLS, required=False, allow_null=True)

    class Meta:
        model = BudgetLimit
        fields = ("scope", "scope_id", "period", "limit_cents", "limit_calls")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Amounts in the units of the table; the scope's id where it needs one."""
        if "limit_cents" in attrs:
            cents = attrs.pop("limit_cents")
            attrs["cost_limit_micro"] = None if cents is None else round(cents * MICRO_PER_CENT)
        if "limit_calls" in attrs:
            attrs["calls_limit"] = attrs.pop("limit_calls")
        current = self.instance or BudgetLimit()
        result = {
            name: attrs.get(name, getattr(current, name)) for name in ("cost_limit_micro", "calls_limit", "scope")
        }
        if result["cost_limit_micro"] is None and result["calls_limit"] is None:
            raise Invalid({"limit_cents": ["Set limit_cents, limit_calls, or both."]})
        scope_id = attrs.get("scope_id", current.scope_id)
        if result["scope"] == BudgetScope.TENANT:
            attrs["scope_id"] = ""
        elif not scope_id:
            raise Invalid({"scope_id": [f"Name the {result['scope']} by its id."]})
        return attrs


class BudgetSerializer(ResponseSerializer):
    """A budget: a BudgetLimit with its counters of this period, or a run's own Budget, which has no dates."""

    example = Budget(
        pk=7, scope="run", scope_id="0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11", cost_limit_micro=500_000, spent_micro=1_234,
        spent_calls=2,
    )  # fmt: skip

    id = serializers.CharField()
    scope = serializers.CharField()
    scope_id = serializers.CharField()
    period = serializers.CharField(help_text="day, month, or run")
    created_at = serializers.DateTimeField(required=False)
    updated_at = serializers.DateTimeField(required=False)
    limit_cents = CentsField(allow_null=True)
    spent_cents = CentsField()
    held_cents = CentsField(help_text="Reserved for calls under way.")
    left_cents = CentsField(allow_null=True, help_text="What a call that begins now may cost.")
    limit_calls = serializers.IntegerField(allow_null=True)
    spent_calls = serializers.IntegerField()
    held_calls = serializers.IntegerField()
    left_calls = serializers.IntegerField(allow_null=True)
    warning = serializers.BooleanField(help_text="Four fifths are, or were, used or reserved.")
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField(required=False)

    @classmethod
    def render(cls, row: BudgetLimit | Budget) -> JsonObject:
        """The JSON object of either sort of budget."""
        if isinstance(row, Budget):
            key = {"id": row.pk, "scope": "run", "scope_id": row.scope_id, "period": "run"}
            return super().render(key | _amounts(row, row))
        starts_on = first_day(row.period)
        counters = Budget.objects.for_tenant(row.tenant_id).filter(limit_id=row.pk, starts_on=starts_on).first()
        names = ("id", "scope", "scope_id", "period", "created_at", "updated_at")
        fields = {name: getattr(row, name) for name in names}
        return super().render(fields | _amounts(row, counters or Budget()) | _dates(row.period, starts_on))


def first_day(period: str) -> date:
    """The first day of the period under way."""
    today = datetime.now(UTC).date()
    return today if period == Period.DAY else today.replace(day=1)


def _dates(period: str, starts_on: date) -> JsonObject:
    """When the period begins and ends."""
    after = starts_on + timedelta(days=1 if period == Period.DAY else 32)
    ends_on = after if period == Period.DAY else after.replace(day=1)
    return {"starts_at": f"{starts_on}T00:00:00Z", "ends_at": f"{ends_on}T00:00:00Z"}


def _amounts(limit: BudgetLimit | Budget, counters: Budget) -> JsonObject:
    """Limits, and what is spent, reserved and left of them, in micro-USD and calls; null where there is no limit."""
    used_micro, used_calls = counters.spent_micro + counters.held_micro, counters.spent_calls + counters.held_calls
    max_micro, max_calls = limit.cost_limit_micro, limit.calls_limit
    return {
        "limit_cents": max_micro,
        "spent_cents": counters.spent_micro,
        "held_cents": counters.held_micro,
        "left_cents": None if max_micro is None else max(max_micro - used_micro, 0),
        "limit_calls": max_calls,
        "spent_calls": counters.spent_calls,
        "held_calls": counters.held_calls,
        "left_calls": None if max_calls is None else max(max_calls - used_calls, 0),
        "warning": counters.warned_at is not None,
    }
