"""Rules of policies that cannot be read: each is refused in a sentence that says where and what to write instead."""

from typing import TYPE_CHECKING, Any

import pytest

from governance.models import Policy

if TYPE_CHECKING:
    from rest_framework.test import APIClient

URL = "/api/v1/policies"
DENY: dict[str, Any] = {"condition": {}, "effect": "deny"}
ASK: dict[str, Any] = {"condition": {}, "effect": "require_approval"}
CHANGE: dict[str, Any] = {"condition": {}, "effect": "modify"}
TEST = {"field": "input.x", "operator": "equals", "value": 1}
REFUSALS: list[tuple[Any, str]] = [
    ("deny", "an object"),
    (DENY | {"effect": "explode"}, "effect"),
    (DENY | {"logic": "XOR"}, "logic"),
    (DENY | {"logic": 1}, "logic"),
    (DENY | {"condition": {f"input.x{at}": 1 for at in range(1_000)}}, "condition"),
    (DENY | {"conditions": [TEST]}, "something else than condition"),
    ({"effect": "deny", "conditions": {"input.x": 1}}, "an array"),
    ({"effect": "deny", "conditions": [TEST, "x"]}, "an array"),
    ({"effect": "deny", "conditions": [TEST | {"field": ""}]}, "conditions[0]"),
    ({"effect": "deny", "conditions": [TEST | {"field": 7}]}, "dot path"),
    (DENY | {"condition": ["input.x"]}, "an object of fields"),
    (DENY | {"condition": {"input.x": {}}}, "condition.input.x: Names no operator"),
    (DENY | {"condition": {"input.x": {"like": 1}}}, "There is no operator 'like'"),
    (DENY | {"condition": {"input.x": {"in": 1}}}, "condition.input.x: in "),
    (CHANGE, "modify: Must say"),
    (CHANGE | {"modify": {}}, "modify: Must say"),
    (CHANGE | {"modify": {"mode": "fast"}}, "modify.mode"),
    (CHANGE | {"modify": {"colour": 1}}, "modify.colour"),
    (CHANGE | {"modify": {"cost_limit_cents": -1}}, "from 0 on"),
    (CHANGE | {"modify": {"llm_calls_limit": True}}, "from 0 on"),
    (CHANGE | {"modify": {"llm_calls_limit": 1.5}}, "a whole number"),
    (ASK | {"approval": "developer"}, "approval: Must be an object"),
    (ASK | {"approval": {"role": "user"}}, "approval.role"),
    (ASK | {"approval": {"expires_s": 0}}, "approval.expires_s"),
    (ASK | {"approval": {"expires_s": True}}, "approval.expires_s"),
    (ASK | {"approval": {"four_eyes": "yes"}}, "approval.four_eyes"),
]


@pytest.mark.parametrize(("rule", "reason"), REFUSALS, ids=[reason for _, reason in REFUSALS])
def test_a_rule_that_cannot_be_read_is_refused(api: "APIClient", rule: Any, reason: str) -> None:
    answer = api.post(URL, {"name": "p", "scope": "tenant", "rule_expr": rule}, format="json")
    assert answer.status_code == 400, answer.content
    assert reason in str(answer.json()["context"]["errors"]["rule_expr"])
    assert not Policy.all_tenants.filter(name="p").exists()


def test_a_global_policy_names_nothing(api: "APIClient") -> None:
    body = {"name": "p", "scope": "global", "scope_id": "everything", "rule_expr": DENY}
    answer = api.post(URL, body, format="json")
    assert answer.status_code == 400 and "has none" in str(answer.json()["context"]["errors"]["scope_id"])


def test_conditions_in_both_forms_are_one_when_they_say_the_same(api: "APIClient") -> None:
    rule = {"effect": "deny", "conditions": [TEST], "condition": {"input.x": 1}}
    answer = api.post(URL, {"name": "p", "scope": "tenant", "rule_expr": rule}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["rule_expr"]["condition"] == {"input.x": 1}


def test_a_presence_that_is_false_is_turned_around(api: "APIClient") -> None:
    rule = {"effect": "deny", "condition": {"input.x": {"exists": False}}}
    answer = api.post(URL, {"name": "p", "scope": "tenant", "rule_expr": rule}, format="json")
    assert answer.json()["rule_expr"]["condition"] == {"input.x": {"not_exists": True}}
