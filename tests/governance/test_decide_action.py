"""What policies decide, and that nothing slips through a rule that cannot be read."""

import uuid
from typing import Any

import pytest

from governance.models import Policy
from governance.policies.evaluation import decide
from governance.policies.rule_parser import BadRule, read_rule, rule_expression
from governance.policies.rulesets import CompiledPolicy, Ruleset, compile_policy

GOLD = {"input": {"tier": "gold", "amount": 70}, "tool_id": "pay", "risk_level": "high"}


def rule(effect: str, condition: dict | None = None, scope: str = "tenant", **more: Any) -> CompiledPolicy:
    """A compiled policy."""
    parts = {name: more.pop(name) for name in ("modify", "approval") if name in more}
    expression = {"condition": condition or {}, "effect": effect, **parts}
    fields = {"name": effect, "scope": scope, "scope_id": "", "rule_expr": expression, "id": uuid.uuid4(), **more}
    return compile_policy(Policy(**fields))


def effect_of(*policies: CompiledPolicy, context: dict | None = None) -> str:
    """What they decide together."""
    return decide(Ruleset("", policies), "tool_call", context or GOLD).effect


def test_without_a_policy_everything_is_allowed() -> None:
    decision = decide(Ruleset("", ()), "tool_call", GOLD)
    assert (decision.effect, decision.has_matches) == ("allow", False)


@pytest.mark.parametrize("order", [0, 1])
def test_the_lower_number_decides_whatever_the_order(order: int) -> None:
    pair = [rule("deny", priority=20), rule("allow", priority=10)]
    assert effect_of(*pair[order:], *pair[:order]) == "allow"


def test_at_equal_numbers_the_strictest_decides() -> None:
    assert effect_of(rule("allow"), rule("require_approval")) == "require_approval"
    assert effect_of(rule("allow"), rule("require_approval"), rule("deny")) == "deny"


@pytest.mark.parametrize("effect", ["deny", "require_approval"])
def test_a_tenant_loosens_no_global_rule(effect: str) -> None:
    platform = rule(effect, scope="global", priority=500)
    assert effect_of(platform, rule("allow", priority=-5)) == effect


def test_a_tenant_may_be_stricter_than_a_global_rule() -> None:
    assert effect_of(rule("allow", scope="global", priority=1), rule("deny", priority=900)) == "deny"


def test_only_policies_of_the_things_at_hand_are_asked() -> None:
    assert effect_of(rule("deny", scope="tool", scope_id="other")) == "allow"
    assert effect_of(rule("deny", scope="tool", scope_id="pay")) == "deny"
    assert effect_of(rule("deny", scope="agent", scope_id="pay")) == "allow"


def test_evaluation_goes_on_after_modify_and_limits_only_tighten() -> None:
    first = rule("modify", priority=1, modify={"llm_calls_limit": 5, "mode": "draft"})
    second = rule("modify", priority=2, modify={"llm_calls_limit": 9, "mode": "auto"})
    decision = decide(Ruleset("", [first, second, rule("require_approval", priority=3)]), "run_start", GOLD)
    assert decision.effect == "require_approval"
    assert decision.modifications == {"llm_calls_limit": 5, "mode": "draft"}


def test_a_shadow_policy_only_tells_what_it_would_have_done() -> None:
    decision = decide(Ruleset("", [rule("deny", shadow=True)]), "tool_call", GOLD)
    assert decision.effect == "allow"
    assert [text["effect"] for text in decision.shadow_matches] == ["deny"]


def test_a_rule_that_cannot_be_read_denies() -> None:
    unreadable = compile_policy(
        Policy(name="x", scope="tenant", rule_expr={"effect": "allow", "condition": {"a": {"near": 1}}})
    )
    assert effect_of(unreadable) == "deny"


def test_the_explanation_names_the_policy_and_the_values() -> None:
    decision = decide(Ruleset("", [rule("deny", {"input.amount": {"gte": 50}}, name="No big ones")]), "tool_call", GOLD)
    assert 'the policy "No big ones"' in decision.explanation
    assert "input.amount gte 50 (it is 70)" in decision.explanation


def test_a_secret_in_the_input_is_in_no_decision() -> None:
    context = {"input": {"password": "hunter2-hunter2", "note": "Bearer abcdefghijklmnop"}}
    decision = decide(Ruleset("", [rule("deny", {"input.password": {"exists": True}})]), "tool_call", context)
    text = str(decision.row())
    assert "hunter2" not in text and "abcdefghijklmnop" not in text


def test_an_input_that_is_long_is_not_kept() -> None:
    row = decide(Ruleset("", ()), "tool_call", {"input": {"text": "x" * 10_000}, "tool_id": "t"}).row()
    assert row["context"] == {"tool_id": "t", "action": "tool_call", "truncated": True}


@pytest.mark.parametrize(
    "expression",
    [
        {"condition": {"a": 1, "b": [1, 2], "c": {"gte": 3, "lte": 9}}, "effect": "deny"},
        {"condition": {"a": {"exists": True}}, "logic": "OR", "effect": "allow"},
        {"condition": {}, "effect": "modify", "modify": {"mode": "draft"}},
        {"condition": {}, "effect": "require_approval", "approval": {"role": "admin", "expires_s": 60}},
    ],
)
def test_a_rule_is_written_as_it_was_read(expression: dict) -> None:
    assert rule_expression(read_rule(expression)) == expression


def test_a_list_that_no_map_can_say_is_kept_beside_it() -> None:
    conditions = [{"field": "x", "operator": "equals", "value": value} for value in (1, 2)]
    text = rule_expression(read_rule({"conditions": conditions, "logic": "OR", "effect": "deny"}))
    assert text["conditions"] == conditions and "x" in text["condition"]
    assert read_rule(text) == read_rule({"conditions": conditions, "logic": "OR", "effect": "deny"})


@pytest.mark.parametrize(
    "expression,text",
    [
        ("deny", "Must be an object"),
        ({"condition": {}, "effect": "explode"}, "effect:"),
        ({"condition": {"a": {"near": 1}}, "effect": "deny"}, "no operator 'near'"),
        ({"condition": {"a": {"gte": "much"}}, "effect": "deny"}, "gte needs a number"),
        ({"condition": [], "effect": "deny"}, "condition:"),
        ({"conditions": [{"field": "a", "operator": "in", "value": 3}], "effect": "deny"}, "in needs an array"),
        ({"conditions": [{"operator": "in"}], "effect": "deny"}, "conditions[0]"),
        ({"condition": {}, "effect": "modify"}, "modify:"),
        ({"condition": {}, "effect": "modify", "modify": {"input": {}}}, "modify.input"),
        ({"condition": {}, "logic": "XOR", "effect": "deny"}, "logic:"),
        ({"condition": {}, "effect": "require_approval", "approval": {"role": "user"}}, "approval.role"),
        ({"condition": {"a": 1}, "conditions": [], "effect": "deny"}, "something else than condition"),
    ],
)
def test_a_wrong_rule_is_told_where_it_is_wrong(expression: Any, text: str) -> None:
    with pytest.raises(BadRule, match=None) as fault:
        read_rule(expression)
    assert text in str(fault.value)
