"""Which changes of a finished draft run are applied or discarded, checked under the run's lock."""

from dataclasses import dataclass
from uuid import UUID

from agents.loop.tool_calls import call_context
from agents.tools.lookup import find_tool
from agents.tools.registry import ToolSpec
from config.errors import Conflict, Invalid
from config.values.json_types import JsonObject
from governance.policies.evaluation import Decision, decide
from governance.policies.rulesets import rules_of
from orchestration.models import FINAL, Change, ChangeStatus, Mode, Run
from orchestration.program.policy_checks import policy_context
from orchestration.runs.commands import Actor
from orchestration.runs.draft_effects import restage_abandoned
from orchestration.runs.run_rows import lock_run

MAX_NAMES = 5  # unknown ids that an error names


@dataclass(frozen=True)
class ChangeSelection:
    """A request for changes of a run: those of `change_ids`, or all of them without."""

    run_id: UUID
    tenant_id: str
    actor: Actor
    change_ids: list[UUID] | None = None
    trace_id: str = ""


def changes_of(run: Run) -> list[Change]:
    """All changes of the run, in the order of its calls."""
    return list(Change.objects.for_tenant(run.tenant_id).filter(run_id=run.pk).order_by("position"))


def select_changes(selection: ChangeSelection) -> tuple[Run, list[Change]]:
    """The run, under its lock, and those of the selected changes that are staged.

    Raises Conflict when the run is not finished or a change is being applied, Invalid for ids that are not the run's.
    """
    run = lock_run(selection.run_id, selection.tenant_id)
    if run.status not in FINAL:
        raise Conflict(f"The run is {run.status}; its changes can be applied or discarded when it has finished.")
    restage_abandoned(run)
    changes = changes_of(run)
    if selection.change_ids is not None:
        unknown = set(selection.change_ids) - {change.pk for change in changes}
        if unknown:
            names = ", ".join(sorted(map(str, unknown))[:MAX_NAMES])
            raise Invalid({"change_ids": [f"The run has no such change: {names}."]})
        changes = [change for change in changes if change.pk in selection.change_ids]
    if applying := [str(change.pk) for change in changes if change.status == ChangeStatus.APPLYING]:
        raise Conflict("Changes are being applied at this moment.", changes=applying)
    return run, [change for change in changes if change.status == ChangeStatus.STAGED]


def check_conflicts(changes: list[Change]) -> None:
    """Conflict, naming each change that no longer fits what it was staged for."""
    conflicts = []
    for at, change in enumerate(changes):
        staging = find_tool(change.tenant_id, change.tool_id).staging
        if staging and staging.conflict and (reason := staging.conflict(change, changes[:at])):
            conflicts.append(_conflict_json(change, reason))
    if conflicts:
        more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
        raise Conflict(f"Nothing was applied: {conflicts[0]['reason']}{more}", changes=conflicts)


def find_denial(run: Run, changes: list[Change], actor: Actor) -> Decision | None:
    """The decision of a policy that forbids one of these calls, in the mode auto; Conflict when one no longer fits."""
    rules = rules_of(run.tenant_id)
    for change in changes:
        tool = find_tool(run.tenant_id, change.tool_id)
        names = call_context(tool, change.agent_id) | workflow_context(run)
        context = policy_context(run, actor.role, input=_arguments(tool, change), **names)
        decision = decide(rules, "apply", context | {"mode": Mode.AUTO.value})
        if decision.effect == "deny":
            return decision
    return None


def _arguments(tool: ToolSpec, change: Change) -> JsonObject:
    """The change's arguments in the tool's canonical form; Conflict when the tool takes others since."""
    try:
        return tool.canonical_input(change.arguments)
    except Invalid as fault:
        reason = f"The tool {tool.id} no longer takes these arguments: {fault.message}"
        raise Conflict(f"Nothing was applied: {reason}", changes=[_conflict_json(change, reason)]) from None


def _conflict_json(change: Change, reason: str) -> JsonObject:
    return {"id": str(change.pk), "target": change.target, "reason": reason}


def workflow_context(draft: Run) -> JsonObject:
    """What policies' conditions may name of the run that has staged a call: its workflow."""
    if draft.kind != "workflow":
        return {}
    return {"workflow_id": draft.subject_id, "workflow": {"id": draft.subject_id}}
