"""Where policies are asked while a run is under way: before its first step, and before each agent and tool call and
child run of it (RULINGS §7); orchestration/runs/start_policy.py asks them in the request that starts it.

Every decision is recorded as a PolicyDecision; what a policy had to say is a policy_eval event too. A yes that a
person must give is asked for here, bound to the exact call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from accounts.models import Membership
from config.values.json_types import JsonObject
from governance.policies.evaluation import Decision, decide, stored_context
from governance.policies.rulesets import Ruleset, rules_of
from orchestration.kinds import subject_of
from orchestration.program.json_fragments import fragment
from orchestration.program.waits.approvals import Question, call_digest

if TYPE_CHECKING:
    from orchestration.models import Run
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo
    from orchestration.program.waits.children import NewChild

JSON_COLUMNS = frozenset({"matched", "shadowed", "modified", "context"})


def policy_context(run: "Run | RunInfo", role: str, **more: Any) -> JsonObject:
    """What conditions may name, seed 000 §9 in snake_case; what there is none of is missing."""
    user = str(run.created_by) if run.created_by else None
    flat = {
        "tenant_id": run.tenant_id,
        "user_id": user,
        "on_behalf_of": run.on_behalf_of,
        "role": role,
        "mode": run.mode,
        "run_id": str(run.id),
        "workflow_id": subject_of(run.kind, run.subject_id, "workflow"),
        "app_id": run.app_id,
        "app_action_id": run.app_action_id,
    }
    nested: dict[str, JsonObject] = {
        "tenant": {"id": run.tenant_id},
        "user": {"id": user, "role": role},
        "run": {"id": str(run.id), "kind": run.kind, "mode": run.mode, "depth": run.depth},
        "workflow": {"id": flat["workflow_id"]},
        "app": {"id": run.app_id, "action_id": run.app_action_id},
    }
    nested = {name: part for name, part in nested.items() if any(value not in (None, "") for value in part.values())}
    return {name: value for name, value in flat.items() if value not in (None, "")} | nested | more


@dataclass(frozen=True)
class Act:
    """What is about to be done in this step, by an agent or a tool; `context` is what else conditions may name."""

    action: str
    step: str
    node_id: str
    input: Any
    context: JsonObject
    tool_id: str = ""
    coerce: Callable[[Any], Any] | None = None  # for arguments that an approver has edited; raises Invalid


@dataclass(frozen=True)
class Permit:
    """The act may be done: with this input (an approver may have edited it), as a draft if a policy wants that."""

    input: Any
    draft: bool = False
    approval: str = ""  # the step of the question that was answered with yes
    approval_id: str | None = None
    limits: JsonObject = field(default_factory=dict)  # and the mode: what policies modify


async def permit(ctx: "RunContext", act: Act) -> Permit:
    """The act's permit, after a person's yes where a policy requires one.

    Arguments that the person has edited are coerced and judged again; a rule that nobody has answered yet, which they
    come under, asks in its turn. Raises PolicyDenied; Rejected ends the run when the person says no.
    """
    rules, role = await _rules(ctx)
    approved_rules: set[str] = set()  # in the version that a person has said yes under
    step, approval_id = "", None
    while True:
        decision = decide(rules, act.action, policy_context(ctx.run, role, input=act.input, **act.context))
        rule = _rule_of(decision)
        if decision.effect != "require_approval" or rule in approved_rules:
            _record(ctx, act.step, decision)
            if decision.effect == "deny":
                raise decision.refusal()
            return _permit(act, decision, step, approval_id)
        digest = call_digest(ctx.run.id, act.tool_id or act.node_id, act.input, rule)
        step = f"{act.step}#approval-{digest[:16]}"
        if step not in ctx.run.steps:  # else it was recorded before
            _record(ctx, act.step, decision)
        question = _question(act.action, act.node_id, decision.event(), decision.approval, digest, act)
        answer = await ctx.approval(step, question)
        approval_id = answer["approval_id"]
        if "arguments" not in answer:
            return _permit(act, decision, step, approval_id)
        approved_rules.add(rule)
        arguments = answer["arguments"]
        act = replace(act, input=act.coerce(arguments) if act.coerce else arguments)


def _permit(act: Act, decision: Decision, step: str, approval_id: str | None) -> Permit:
    return Permit(act.input, decision.modifications.get("mode") == "draft", step, approval_id, decision.modifications)


def _rule_of(decision: Decision) -> str:
    """The policy that decides, in its version."""
    winner = decision.winner or {}
    return f"{winner.get('policy_id')}:{winner.get('version')}"


def _question(
    kind: str, node_id: str, event: JsonObject, approval: JsonObject, digest: str, act: Act | None = None
) -> Question:
    """The question that a person gets: `event` is the decision as events have it, `approval` the policy's options."""
    return Question(
        node_id=node_id,
        message=event["explanation"],
        role=approval.get("role", "developer"),
        expires_s=approval.get("expires_s", settings.APPROVAL_EXPIRES_S),
        kind=kind,
        tool_id=act.tool_id if act else "",
        arguments=act.input if act and act.tool_id else None,
        digest=digest,
        policy_id=event["policy_id"],
        four_eyes=approval.get("four_eyes", False),
        context={"policy_id": event["policy_id"]},
    )


async def _rules(ctx: "RunContext") -> tuple[Ruleset, str]:
    tenant_id, user = ctx.run.tenant_id, ctx.run.created_by
    rules: tuple[Ruleset, str] = await ctx.shared((tenant_id, "rules", user), partial(_load, tenant_id, user))
    return rules


def _load(tenant_id: str, user_id: UUID | None) -> tuple[Ruleset, str]:
    """The tenant's rules, and the role of the user that the run is started by."""
    members = Membership.objects.for_tenant(tenant_id).filter(user_id=user_id)
    return rules_of(tenant_id), (members.values_list("role", flat=True).first() or "") if user_id else ""


def _record(ctx: "RunContext", step: str, decision: Decision) -> None:
    """Record the decision with the run's next write."""
    if decision.has_matches:
        ctx.emit("policy_eval", decision.event(), step)
    row = {name: fragment(value) if name in JSON_COLUMNS else value for name, value in decision.row().items()}
    ctx.writer.entry().add("decisions", step=step, **row)


# ---- the start of a run, and of its children


def record_start(ctx: "RunContext") -> None:
    """Record the start with the run's first write: batched, where the request would have paid for each row."""
    run = ctx.run
    context = None
    if run.policy is None and run.parent_id is None:  # else the request, or the parent, has recorded the decision
        role = (run.origin or {}).get("role", "")
        context = fragment(stored_context(policy_context(run, role, input=run.input, action="run_start")))
    ctx.writer.entry().add("starts", context=context, agent_id=subject_of(run.kind, run.subject_id, "agent"))


async def await_start_approval(ctx: "RunContext") -> None:
    """Return when the run may begin: at once, or when a person has said so."""
    policy = ctx.run.policy
    if not policy or "approval" not in policy:
        return
    event = policy["event"]
    winner: JsonObject = next((one for one in event["matched"] if one["policy_id"] == event["policy_id"]), {})
    rule = f"{event['policy_id']}:{winner.get('version')}"
    digest = call_digest(ctx.run.id, "run_start", ctx.run.input, rule)
    await ctx.approval(
        f"start#approval-{digest[:16]}", _question("run_start", "start", event, policy["approval"], digest)
    )


async def check_child_start(ctx: "RunContext", step: str, child: "NewChild") -> "NewChild":
    """The child in the mode that policies want, with what they said of it; PolicyDenied when it may not start.

    A child draws on its parent's limits, so of what a policy modifies only the mode matters.
    """
    rules, role = await _rules(ctx)
    context = policy_context(ctx.run, role, input=child.input)
    if workflow_id := subject_of(child.kind, child.subject_id, "workflow"):
        context |= {"workflow_id": workflow_id, "workflow": {"id": workflow_id}}
    context |= {"mode": child.mode, "parent_run_id": str(ctx.run.id)}
    context["run"] = {"kind": child.kind, "mode": child.mode, "depth": ctx.run.depth + 1}
    decision = decide(rules, "run_start", context)
    _record(ctx, step, decision)
    if decision.effect == "deny":
        raise decision.refusal()
    policy: JsonObject | None = {"event": decision.event()} if decision.has_matches else None
    if policy and decision.effect == "require_approval":
        policy["approval"] = decision.approval
    return replace(child, mode=str(decision.modifications.get("mode", child.mode)), policy=policy)
