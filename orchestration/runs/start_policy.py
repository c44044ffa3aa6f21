"""What policies say in the request that starts a run, and how their decision is recorded."""

from dataclasses import dataclass
from uuid import UUID

from config.database import prepared_statements
from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from governance.policies.evaluation import Decision, decide
from governance.policies.rulesets import rules_of
from orchestration.models import Run
from orchestration.program.json_fragments import encode
from orchestration.program.policy_checks import JSON_COLUMNS, policy_context

COLUMNS = (
    *("tenant_id", "action", "run_id", "step", "result", "policy_id", "explanation", "matched", "shadowed"),
    *("modified", "context"),
)
INSERT_DECISION = (
    f"INSERT INTO governance_policydecision ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)
NO_POLICY = Decision("run_start", {})


@dataclass(frozen=True)
class RunLimit:
    """A limit that a policy may tighten: the run's field, and how many of its units are one of the policy's."""

    field: str
    units: int


LIMITS = {
    "cost_limit_cents": RunLimit("cost_limit_micro", MICRO_PER_CENT),
    "llm_calls_limit": RunLimit("calls_limit", 1),
    "latency_slo_ms": RunLimit("latency_limit_ms", 1),
}


def check_start(run: Run, role: str, stamp: str | None) -> Decision:
    """What the policies say of this start; `run` then has the mode, the limits and the question that they want.

    `stamp`: see rules_of().
    """
    rules = rules_of(run.tenant_id, stamp)
    if not rules.by_scope:
        return NO_POLICY
    decision = decide(rules, "run_start", policy_context(run, role, input=run.input))
    if decision.effect == "deny":
        return decision
    _modify(run, decision.modifications)
    if decision.has_matches:
        run.policy = {"event": decision.event()}
        if decision.effect == "require_approval":
            run.policy["approval"] = decision.approval
    return decision


def _modify(run: Run, changes: JsonObject) -> None:
    """Set the mode; tighten the limits."""
    run.mode = changes.get("mode", run.mode)
    for name, limit in LIMITS.items():
        if name in changes:
            value, own = round(changes[name] * limit.units), getattr(run, limit.field)
            setattr(run, limit.field, value if own is None else min(own, value))


def decision_values(tenant_id: str, run_id: UUID | None, decision: Decision) -> list[object]:
    """The values of INSERT_DECISION."""
    row = decision.row() | {"tenant_id": tenant_id, "run_id": run_id, "step": ""}
    return [encode(row[name]).decode() if name in JSON_COLUMNS else row[name] for name in COLUMNS]


def record_refusal(tenant_id: str, decision: Decision) -> None:
    """Put a start that was denied on record; there is no run that could have an event of it."""
    prepared_statements.execute(INSERT_DECISION, decision_values(tenant_id, None, decision))
