"""Backtest of a candidate policy: recorded decisions are made again with it, without any effect."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from django.db.models import QuerySet

from config.http.fields import iso
from config.values.json_types import JsonObject
from governance.models import Policy, PolicyDecision, Scope
from governance.policies.evaluation import decide
from governance.policies.rulesets import CompiledPolicy, Ruleset, compile_policy, enabled_policies

MAX_EXAMPLES = 100


@dataclass
class Backtest:
    """The counts so far: decisions by the rules in force without the candidate (before) and with it (after)."""

    evaluated_count: int = 0
    skipped_count: int = 0
    matched_count: int = 0
    flip_count: int = 0
    by_tool: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_tenant: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    examples: list[JsonObject] = field(default_factory=list)

    def note(self, row: PolicyDecision, before: str, after: str, explanation: str) -> None:
        """Count a decision that was made twice."""
        self.evaluated_count += 1
        if before == after:
            return
        self.flip_count += 1
        tool, change = row.context.get("tool_id"), f"{before} -> {after}"
        self.by_tool[tool or f"({row.action})"][change] += 1
        self.by_tenant[row.tenant_id][change] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(
                {
                    "decision_id": row.pk,
                    "tenant_id": row.tenant_id,
                    "action": row.action,
                    "run_id": str(row.run_id) if row.run_id else None,
                    "tool_id": tool,
                    "before": before,
                    "after": after,
                    "explanation": explanation,
                    "created_at": iso(row.created_at),
                }
            )


def backtest(candidate: Policy, decisions: int) -> Backtest:
    """What the candidate changes in the tenant's last recorded decisions; a global one is asked of all tenants'."""
    test, rules = Backtest(), {}
    one = compile_policy(candidate)
    looks_inside = bool(one.rule and any(test_.parts[0] == "input" for test_ in one.rule.tests))
    for row in _rows(candidate)[:decisions].iterator(chunk_size=500):
        if looks_inside and row.context.get("truncated"):
            test.skipped_count += 1
            continue
        if row.tenant_id not in rules:
            rules[row.tenant_id] = _pair(row.tenant_id, one)
        without, with_it = rules[row.tenant_id]
        after = decide(with_it, row.action, row.context)
        matches = (*after.matches, *after.shadow_matches)
        test.matched_count += any(match["policy_id"] == str(one.id) for match in matches)
        test.note(row, decide(without, row.action, row.context).result, after.result, after.explanation)
    return test


def _rows(candidate: Policy) -> QuerySet[PolicyDecision]:
    if candidate.scope == Scope.GLOBAL:
        rows = PolicyDecision.all_tenants.all()
    else:
        rows = PolicyDecision.objects.for_tenant(str(candidate.tenant_id))
    return rows.order_by("-id")


def _pair(tenant_id: str, candidate: CompiledPolicy) -> tuple[Ruleset, Ruleset]:
    """The rules in force without the candidate, and with it."""
    others = [compile_policy(row) for row in enabled_policies(tenant_id) if row.pk != candidate.id]
    return Ruleset("", others), Ruleset("", [*others, candidate])
