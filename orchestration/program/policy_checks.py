"""Where policies are asked: as a run starts, and before each agent and tool call of it (RULINGS §7).

Every decision is kept as a PolicyDecision; what a policy had to say is told as a policy_eval event too. A yes that a
person must give is asked for here, bound to the exact call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from accounts.models import Membership
from config.database import prepared_statements
from governance.budgets.reservations import MICRO_PER_CENT
from governance.policies.evaluation import Decision, decide, stored_context
from governance.policies.rulesets import Ruleset, rules_of
from orchestration.program.approvals import Question, call_digest
from orchestration.program.json_fragments import fragment, recordable

if TYPE_CHECKING:
    from orchestration.models import Run
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

COLUMNS = (
    *("tenant_id", "action", "run_id", "step", "result", "policy_id", "explanation", "matched", "shadowed"),
    *("modified", "context"),
)
DECIDED = f"INSERT INTO governance_policydecision ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
JSON_COLUMNS = frozenset({"matched", "shadowed", "modified", "context"})


def context_of(run: "Run | RunInfo", role: str, **about: Any) -> dict[str, Any]:
    """What conditions may name, seed 000 §9 in snake_case; what there is none of is missing."""
    user = str(run.created_by) if run.created_by else None
    flat = {
        "tenant_id": run.tenant_id,
        "user_id": user,
        "on_behalf_of": run.on_behalf_of,
        "role": role,
        "mode": run.mode,
        "run_id": str(run.id),
        "workflow_id": run.subject_id if run.kind == "workflow" else None,
        "app_id": run.app_id,
        "app_action_id": run.app_action_id,
    }
    nested: dict[str, dict[str, Any]] = {
        "tenant": {"id": run.tenant_id},
        "user": {"id": user, "role": role},
        "run": {"id": str(run.id), "kind": run.kind, "mode": run.mode, "depth": run.depth},
        "workflow": {"id": flat["workflow_id"]},
        "app": {"id": run.app_id, "action_id": run.app_action_id},
    }
    nested = {name: part for name, part in nested.items() if any(value not in (None, "") for value in part.values())}
    return {name: value for name, value in flat.items() if value not in (None, "")} | nested | about


NOTHING_SAID = Decision("run_start", {})

# ---- in a request: the start of a run


def check_start(run: "Run", role: str, stamp: str | None) -> Decision:
    """What the policies say of this start; `run` then has the mode, the limits and the question that they want."""
    rules = rules_of(run.tenant_id, stamp)
    if not rules.by_scope:
        return NOTHING_SAID
    decision = decide(rules, "run_start", context_of(run, role, input=run.input))
    if decision.effect == "deny":
        return decision
    _modify(run, decision.modifications)
    if decision.has_matches:
        run.policy = {"event": decision.event()}
        if decision.effect == "require_approval":
            run.policy["approval"] = decision.approval
    return decision


def _modify(run: "Run", modified: dict[str, Any]) -> None:
    """Set the mode; tighten the limits."""
    run.mode = modified.get("mode", run.mode)
    limits = {"cost_limit_cents": ("cost_limit_micro", MICRO_PER_CENT)}
    limits |= {"llm_calls_limit": ("calls_limit", 1), "latency_slo_ms": ("latency_limit_ms", 1)}
    for name, (target, unit) in limits.items():
        if name in modified:
            wanted, own = round(modified[name] * unit), getattr(run, target)
            setattr(run, target, wanted if own is None else min(own, wanted))


def decision_values(tenant_id: str, run_id: UUID | None, decision: Decision) -> list[Any]:
    """The values of DECIDED."""
    row = decision.row() | {"tenant_id": tenant_id, "run_id": run_id, "step": ""}
    return [recordable(row[name]).decode() if name in JSON_COLUMNS else row[name] for name in COLUMNS]


def note_start(ctx: "RunContext") -> None:
    """Put the start on record, with the run's first write: batched, where the request would have paid for each row."""
    run = ctx.run
    context = None
    if run.policy is None and run.parent_id is None:  # else the request, or the parent, has kept what was decided
        role = (run.origin or {}).get("role", "")
        context = fragment(stored_context(context_of(run, role, input=run.input, action="run_start")))
    ctx.pen.entry().add("starts", context=context)


def keep_refusal(tenant_id: str, decision: Decision) -> None:
    """Put a start that was denied on record; there is no run to tell of it."""
    prepared_statements.execute(DECIDED, decision_values(tenant_id, None, decision))


# ---- in a run: its approval, its agents, its tools, its children


@dataclass(frozen=True)
class Act:
    """What is about to be done in this step, by an agent or a tool, and what conditions may know of it."""

    action: str
    step: str
    node_id: str
    input: Any
    about: dict[str, Any]
    tool_id: str = ""
    fit: Callable[[Any], Any] | None = None  # coerces arguments that an approver has edited; raises Invalid


@dataclass(frozen=True)
class Permit:
    """The act may be done: with this input (an approver may have edited it), as a draft if a policy wants that."""

    input: Any
    draft: bool = False
    approval: str = ""  # the step of the question that was answered with yes
    approval_id: str | None = None
    modified: dict[str, Any] = field(default_factory=dict)


async def permit(ctx: "RunContext", act: Act) -> Permit:
    """The act's permit, after a person's yes where one is wanted.

    Arguments that the person has edited are coerced and judged again; a rule that nobody has answered yet, which they
    come under, asks in its turn. Raises PolicyDenied; Rejected ends the run when the person says no.
    """
    rules, role = await _rules(ctx)
    answered: set[str] = set()  # rules, in the version that a person has said yes under
    step, approval_id = "", None
    while True:
        decision = _decide(ctx, rules, role, act)
        rule = _rule_of(decision)
        if decision.effect != "require_approval" or rule in answered:
            _keep(ctx, act.step, decision)
            if decision.effect == "deny":
                raise decision.refusal()
            return _permit(act, decision, step, approval_id)
        digest = call_digest(ctx.run.id, act.tool_id or act.node_id, act.input, rule)
        step = f"{act.step}#approval-{digest[:16]}"
        if step not in ctx.run.steps:  # a replay has told of it before
            _keep(ctx, act.step, decision)
        question = _question(act.action, act.node_id, decision.event(), decision.approval, digest, act)
        answer = await ctx.approval(step, question)
        approval_id = answer["approval_id"]
        if "arguments" not in answer:
            return _permit(act, decision, step, approval_id)
        answered.add(rule)
        edited = answer["arguments"]
        act = replace(act, input=act.fit(edited) if act.fit else edited)


def _permit(act: Act, decision: Decision, step: str, approval_id: str | None) -> Permit:
    return Permit(act.input, decision.modifications.get("mode") == "draft", step, approval_id, decision.modifications)


def _rule_of(decision: Decision) -> str:
    """The policy that decides, in its version."""
    winner = decision.winner or {}
    return f"{winner.get('policy_id')}:{winner.get('version')}"


def _decide(ctx: "RunContext", rules: Ruleset, role: str, act: Act) -> Decision:
    return decide(rules, act.action, context_of(ctx.run, role, input=act.input, **act.about))


def _question(
    kind: str, node_id: str, told: dict[str, Any], wants: dict[str, Any], digest: str, act: Act | None = None
) -> Question:
    """What the person is asked: `told` is the decision as events tell it, `wants` the policy's word on approvals."""
    return Question(
        node_id=node_id,
        message=told["explanation"],
        role=wants.get("role", "developer"),
        expires_s=wants.get("expires_s", settings.APPROVAL_EXPIRES_S),
        kind=kind,
        tool_id=act.tool_id if act else "",
        arguments=act.input if act and act.tool_id else None,
        digest=digest,
        policy_id=told["policy_id"],
        four_eyes=wants.get("four_eyes", False),
        about={"policy_id": told["policy_id"]},
    )


async def _rules(ctx: "RunContext") -> tuple[Ruleset, str]:
    tenant_id, user = ctx.run.tenant_id, ctx.run.created_by
    found: tuple[Ruleset, str] = await ctx.shared((tenant_id, "rules", user), partial(_load, tenant_id, user))
    return found


def _load(tenant_id: str, user_id: UUID | None) -> tuple[Ruleset, str]:
    """The tenant's rules, and the role of the user that the run is started by."""
    members = Membership.objects.for_tenant(tenant_id).filter(user_id=user_id)
    return rules_of(tenant_id), (members.values_list("role", flat=True).first() or "") if user_id else ""


def _keep(ctx: "RunContext", step: str, decision: Decision) -> None:
    """The decision on record, with the run's next write."""
    if decision.has_matches:
        ctx.emit("policy_eval", decision.event(), step)
    row = decision.row()
    packed = {name: fragment(value) if name in JSON_COLUMNS else value for name, value in row.items()}
    ctx.pen.entry().add("decisions", step=step, **packed)


async def start_approved(ctx: "RunContext") -> None:
    """Return when the run may begin: at once, or when a person has said so."""
    policy = ctx.run.policy
    if not policy or "approval" not in policy:
        return
    told, wants = policy["event"], policy["approval"]
    winner: dict[str, Any] = next((one for one in told["matched"] if one["policy_id"] == told["policy_id"]), {})
    rule = f"{told['policy_id']}:{winner.get('version')}"
    digest = call_digest(ctx.run.id, "run_start", ctx.run.input, rule)
    asked = _question("run_start", "start", told, wants, digest)
    await ctx.approval(f"start#approval-{digest[:16]}", asked)


async def child_start(
    ctx: "RunContext", step: str, kind: str, subject_id: str, input: Any, mode: str
) -> tuple[str, dict[str, Any] | None]:
    """(the mode that a child run starts in, what it is told of the policies); PolicyDenied when it may not start.

    A child draws on its parent's limits, so of what a policy modifies only the mode matters.
    """
    rules, role = await _rules(ctx)
    own = {"workflow_id": subject_id, "workflow": {"id": subject_id}} if kind == "workflow" else {}
    context = context_of(ctx.run, role, input=input) | own | {"mode": mode, "parent_run_id": str(ctx.run.id)}
    context["run"] = {"kind": kind, "mode": mode, "depth": ctx.run.depth + 1}
    decision = decide(rules, "run_start", context)
    _keep(ctx, step, decision)
    if decision.effect == "deny":
        raise decision.refusal()
    policy: dict[str, Any] | None = {"event": decision.event()} if decision.has_matches else None
    if policy and decision.effect == "require_approval":
        policy["approval"] = decision.approval
    return str(decision.modifications.get("mode", mode)), policy
