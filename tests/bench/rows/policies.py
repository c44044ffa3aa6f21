"""How long a decision takes under many policies."""

import random
import time
import uuid
from typing import Any

from governance.models import Policy
from governance.policies.evaluation import decide
from governance.policies.rulesets import Ruleset, compile_policy
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench

POLICIES, DECISIONS = 500, 3_000


def measure(bench: Bench) -> list[Row]:
    """The 99th percentile of a decision under 500 policies, all of which concern the call, one in ten applying."""
    dice = random.Random(4)
    rules = Ruleset("", [compile_policy(_policy(dice, nth)) for nth in range(POLICIES)])
    for _ in range(200):
        decide(rules, "tool_call", _context(dice))
    p99 = [_p99_ms(rules, dice) for _ in range(bench.trials)]
    return [Row("policies", f"a decision under {POLICIES} policies, p99", "ms", p99, (at_most(2),))]


def _policy(dice: random.Random, nth: int) -> Policy:
    amount = dice.randint(0, 1000)
    condition: dict[str, Any] = {"input.amount": {"gte": amount, "less_than": amount + 100}}
    condition |= {"user.role": ["developer", "user"]} if nth % 2 else {"input.to": {"ends_with": "@example.com"}}
    effect = ("allow", "require_approval", "modify", "deny")[nth % 4]
    rule = {"condition": condition, "effect": effect} | ({"modify": {"mode": "draft"}} if effect == "modify" else {})
    scope = ("tenant", "global", "tool")[nth % 3]
    named = {"scope": scope, "scope_id": "mail.send" if scope == "tool" else ""}
    return Policy(id=uuid.uuid4(), name=f"policy {nth}", rule_expr=rule, priority=dice.randint(1, 200), **named)


def _context(dice: random.Random) -> dict[str, Any]:
    given = {"amount": dice.randint(0, 1000), "to": f"someone{dice.randint(0, 9)}@example.com", "text": "x" * 200}
    return {"tenant_id": "t", "tool_id": "mail.send", "user": {"role": "developer"}, "input": given}


def _p99_ms(rules: Ruleset, dice: random.Random) -> float:
    taken = []
    for _ in range(DECISIONS):
        context, began = _context(dice), time.perf_counter()
        decide(rules, "tool_call", context)
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.99)
