"""Policies as clients write and read them (seed 000 §9)."""

from typing import Any

from rest_framework import serializers

from config.http.fields import BooleanField, CharField, ChoiceField, DateTimeField, IntegerField, UUIDField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from governance.models import Policy, PolicyDecision, Scope
from governance.policies.backtest import Backtest
from governance.policies.evaluation import RESULT
from governance.policies.rule_parser import BadRule, read_rule, rule_expression

SCOPES_WITH_ID = (Scope.APP, Scope.TOOL, Scope.WORKFLOW, Scope.AGENT)
MAX_BACKTEST = 10_000


class RuleField(serializers.JSONField):
    """A rule_expr in either form; it comes out in the contract's."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The checked rule in the contract's form."""
        try:
            return rule_expression(read_rule(data))
        except BadRule as fault:
            raise serializers.ValidationError(str(fault), "invalid") from None


class PolicySerializer(serializers.Serializer):
    """A policy."""

    id = serializers.UUIDField(read_only=True)
    name = CharField(max_length=255)
    description = CharField(required=False, allow_blank=True, allow_null=True, default="", max_length=10_000)
    scope = ChoiceField(Scope.choices)
    scope_id = CharField(required=False, allow_blank=True, allow_null=True, default="", max_length=128)
    rule_expr = RuleField()
    priority = IntegerField(required=False, default=100, min_value=-1_000_000, max_value=1_000_000)
    enabled = BooleanField(required=False, default=True)
    shadow = BooleanField(required=False, default=False)
    version = serializers.IntegerField(read_only=True)
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)

    def validate_description(self, value: str | None) -> str:
        """No description is an empty one."""
        return value or ""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The scope's id fits the scope."""
        own = self.context["request"].tenant.pk
        scope = attrs.get("scope", getattr(self.instance, "scope", None))
        current_id = getattr(self.instance, "scope_id", "") if scope == getattr(self.instance, "scope", None) else ""
        scope_id = attrs.get("scope_id", current_id) or ""
        if scope in SCOPES_WITH_ID and not scope_id:
            raise serializers.ValidationError({"scope_id": [f"Is required: the id of the {scope}."]})
        if scope == Scope.TENANT and scope_id not in ("", own):
            raise serializers.ValidationError({"scope_id": ["Must be your own tenant, or be left out."]})
        if scope == Scope.GLOBAL and scope_id:
            raise serializers.ValidationError({"scope_id": ["A global policy has none; leave it out."]})
        return attrs | {"scope_id": own if scope == Scope.TENANT else scope_id}

    def to_representation(self, policy: Policy) -> dict[str, Any]:
        """The policy; without a scope_id that is null."""
        body: JsonObject = super().to_representation(policy)
        return body | {"scope_id": policy.scope_id or None}


class DecisionSerializer(serializers.ModelSerializer):
    """A decision of policies, and why."""

    created_at = DateTimeField()

    class Meta:
        model = PolicyDecision
        fields = (
            *("id", "action", "run_id", "step", "result", "policy_id", "explanation", "matched", "shadowed"),
            *("modified", "context", "created_at"),
        )


class DecisionQuery(serializers.Serializer):
    """The filters of GET /policies/decisions."""

    run_id = UUIDField(required=False)
    policy_id = UUIDField(required=False)
    action = CharField(required=False, max_length=16)
    result = ChoiceField(tuple(RESULT.values()), required=False)


class BacktestRequest(serializers.Serializer):
    """How far back; beside it the fields of a policy that is not saved, or those to change of a saved one."""

    decisions = IntegerField(required=False, default=1000, min_value=1, max_value=MAX_BACKTEST)


class FlipSerializer(ResponseSerializer):
    """A decision that the candidate would have changed."""

    decision_id = serializers.IntegerField()
    tenant_id = serializers.CharField()
    action = serializers.CharField()
    run_id = serializers.UUIDField(allow_null=True)
    tool_id = serializers.CharField(allow_null=True)
    before = serializers.CharField()
    after = serializers.CharField()
    explanation = serializers.CharField()
    created_at = serializers.DateTimeField()


class BacktestSerializer(ResponseSerializer):
    """What a candidate would have changed; its row is a Backtest."""

    example = Backtest(evaluated_count=1000, matched_count=2, flip_count=1)

    evaluated = serializers.IntegerField(source="evaluated_count")
    skipped = serializers.IntegerField(
        source="skipped_count", help_text="Their inputs were too long to be kept, and the rule looks at them."
    )
    matched = serializers.IntegerField(source="matched_count", help_text="The candidate applies to so many.")
    flips = serializers.IntegerField(source="flip_count")
    by_tool = serializers.DictField()
    by_tenant = serializers.DictField()
    examples = FlipSerializer(many=True)
