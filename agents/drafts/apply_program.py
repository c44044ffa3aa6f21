"""Applying and discarding what a draft run has staged.

An apply is a run of its own (the program "apply"), so that it survives a crash in its middle: each change is a step,
and its call goes out under the key that the draft's step had, so that it lands once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.errors import ToolExecutionError
from agents.loop.tool_calls import TOOL_RETRY, call_context, call_tool, json_output
from agents.tools.faults import tool_errors
from agents.tools.lookup import find_tool
from agents.tools.registry import ToolCall, ToolSpec
from config.errors import Conflict, Invalid
from governance.policies.evaluation import decide
from governance.policies.rulesets import rules_of
from orchestration.models import FINAL, Change, ChangeStatus, Mode, Run
from orchestration.program.policy_checks import policy_context
from orchestration.program.registry import program
from orchestration.program.retry import ONCE, StepFailed
from orchestration.runs.commands import Actor, start_refusal, start_run
from orchestration.runs.draft_effects import AppliedChange, record_applied, restage, restage_abandoned
from orchestration.runs.run_rows import lock_run

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

KIND = "apply"


@dataclass(frozen=True)
class Asked:
    """Whose changes, which of them (none named = all), and who asks."""

    run_id: UUID
    tenant_id: str
    actor: Actor
    change_ids: list[UUID] | None = None
    trace_id: str = ""


def changes_of(run: Run) -> list[Change]:
    """What the run has staged, in the order of its calls."""
    return list(Change.objects.for_tenant(run.tenant_id).filter(run_id=run.pk).order_by("position"))


def start_apply(asked: Asked) -> Run | None:
    """The run that applies the chosen changes; None when none of them is staged.

    Raises Conflict when the run is not finished, a change is being applied, or what one rests on has moved (nothing is
    applied then); Invalid for ids that are not the run's; PolicyDenied.
    """
    with transaction.atomic():
        run, chosen = _chosen(asked)
        if not chosen:
            return None
        _refuse_moved(chosen)
        refusal = _refused(run, chosen, asked.actor)
        if refusal is None:
            made, _ = start_run(
                tenant_id=run.tenant_id,
                kind=KIND,
                subject_id=str(run.pk),
                input={"change_ids": [str(change.pk) for change in chosen]},
                mode=Mode.AUTO,
                created_by=asked.actor.user_id,
                role=asked.actor.role,
                on_behalf_of=run.on_behalf_of,
                app_id=run.app_id,
                trace_id=asked.trace_id,
            )
            rows = Change.objects.for_tenant(run.tenant_id).filter(pk__in=[change.pk for change in chosen])
            rows.update(status=ChangeStatus.APPLYING, apply_run_id=made.pk, error="")
            return made
    raise start_refusal(asked.tenant_id, refusal)


def discard(asked: Asked) -> None:
    """The chosen changes that are staged are dropped for good."""
    with transaction.atomic():
        run, chosen = _chosen(asked)
        rows = Change.objects.for_tenant(run.tenant_id).filter(pk__in=[change.pk for change in chosen])
        told = {"settled_by": asked.actor.user_id, "settled_at": timezone.now()}
        rows.update(status=ChangeStatus.DISCARDED, **told)


def _chosen(asked: Asked) -> tuple[Run, list[Change]]:
    """The run, under its lock, and those of the chosen changes that are staged."""
    run = lock_run(asked.run_id, asked.tenant_id)
    if run.status not in FINAL:
        raise Conflict(f"The run is {run.status}; its changes can be applied or discarded when it has finished.")
    restage_abandoned(run)
    changes = changes_of(run)
    if asked.change_ids is not None:
        unknown = set(asked.change_ids) - {change.pk for change in changes}
        if unknown:
            told = ", ".join(sorted(map(str, unknown))[:5])
            raise Invalid({"change_ids": [f"The run has no such change: {told}."]})
        changes = [change for change in changes if change.pk in asked.change_ids]
    if busy := [str(change.pk) for change in changes if change.status == ChangeStatus.APPLYING]:
        raise Conflict("Changes are being applied at this moment.", changes=busy)
    return run, [change for change in changes if change.status == ChangeStatus.STAGED]


def _refuse_moved(chosen: list[Change]) -> None:
    moved = []
    for at, change in enumerate(chosen):
        tool = find_tool(change.tenant_id, change.tool_id)
        if tool.staging and tool.staging.conflict and (why := tool.staging.conflict(change, chosen[:at])):
            moved.append({"id": str(change.pk), "target": change.target, "reason": why})
    if moved:
        more = f" (and {len(moved) - 1} more)" if len(moved) > 1 else ""
        raise Conflict(f"Nothing was applied: {moved[0]['reason']}{more}", changes=moved)


def _refused(run: Run, chosen: Iterable[Change], actor: Actor) -> Any:
    """The decision of a policy that forbids one of these calls, in the mode auto; Conflict when one no longer fits."""
    rules = rules_of(run.tenant_id)
    for change in chosen:
        tool = find_tool(run.tenant_id, change.tool_id)
        about = call_context(tool, change.agent_id) | _of_draft(run)
        context = policy_context(run, actor.role, input=_arguments(tool, change), **about)
        context |= {"mode": Mode.AUTO.value}
        decision = decide(rules, "apply", context)
        if decision.effect == "deny":
            return decision
    return None


def _arguments(tool: ToolSpec, change: Change) -> dict[str, Any]:
    """The change's arguments as its tool takes them now; Conflict when it has come to take others since."""
    try:
        return tool.canonical_input(change.arguments)
    except Invalid as unfit:
        reason = f"The tool {tool.id} no longer takes these arguments: {unfit.message}"
        moved = [{"id": str(change.pk), "target": change.target, "reason": reason}]
        raise Conflict(f"Nothing was applied: {reason}", changes=moved) from None


def _of_draft(draft: Run) -> dict[str, Any]:
    """What conditions may name of the run that has staged the call."""
    if draft.kind != "workflow":
        return {}
    return {"workflow_id": draft.subject_id, "workflow": {"id": draft.subject_id}}


# ---- the program


@program(KIND, internal=True)
async def apply(ctx: "RunContext") -> dict[str, Any]:
    """{applied: the ids of the changes}; the first that fails stops it, and the rest stays staged."""
    ids, tenant_id = [UUID(one) for one in ctx.run.input["change_ids"]], ctx.run.tenant_id
    for change_id in ids:
        change, draft, tool = await ctx.database(partial(_loaded, tenant_id, change_id))
        name = f"apply {change.position}"
        retry = TOOL_RETRY if tool.idempotent else ONCE
        try:
            await ctx.step(name, _land, ctx, change, draft, tool, node_id=tool.id, type="tool", retry=retry)
        except StepFailed as failed:
            await ctx.database(partial(restage, tenant_id, ctx.run.id, failed.error))
            raise
    return {"applied": [str(one) for one in ids]}


def _loaded(tenant_id: str, change_id: UUID) -> tuple[Change, Run, ToolSpec]:
    change = Change.objects.for_tenant(tenant_id).select_related("run").get(pk=change_id)
    return change, change.run, find_tool(tenant_id, change.tool_id)


async def _land(ctx: "RunContext", change: Change, draft: Run, tool: ToolSpec) -> Any:
    """The tool's answer. The call is the draft's own, under its key; the policies are asked as of the mode auto."""
    if change.status == ChangeStatus.APPLIED:  # before a crash
        return change.outcome
    step = f"apply {change.position}"
    call = ToolCall(ctx, tool, change.arguments, step, Mode.AUTO.value, ctx.run, change.agent_id)
    return await call_tool(call, "apply", partial(_apply, change, draft), **_of_draft(draft))


async def _apply(change: Change, draft: Run, call: ToolCall) -> Any:
    """What the call answers, made as the draft's step and put on record with what it was made with."""
    output = await _perform(change, draft, call)
    settled = AppliedChange(change.pk, change.tenant_id, draft.pk, call.input, output, call.run.created_by)
    await call.ctx.database(partial(record_applied, settled))
    return output


async def _perform(change: Change, draft: Run, call: ToolCall) -> Any:
    staging = call.tool.staging
    own = replace(call, run=draft, step=change.step)  # type: ignore[arg-type]
    if not (staging and staging.apply):
        with tool_errors(own):
            return json_output(await own.tool.handler(own))
    if call.input != change.arguments:
        raise ToolExecutionError(
            "This change is applied as it was reviewed: its arguments cannot be edited. Discard it."
        )
    with tool_errors(own):
        return await staging.apply(own, change)
