"""What becomes of a manifest: a row when everything it names exists, and runs when its actions are called."""

from dataclasses import dataclass
from typing import Any

from config.errors import Invalid, NotFound
from config.values.json_types import JsonObject
from governance.conditions import MISSING, lookup, path_parts
from orchestration.manifests.parser import app_fields
from orchestration.models import App, Mode
from orchestration.program.registry import NODES
from orchestration.workflows.definition.workflow_versions import CurrentVersion, current_version
from orchestration.workflows.expressions.references import Reference, split_text

TRIGGERS = ("context", "event")  # what a mapping may refer to


class AppNotFound(NotFound):
    """There is no such app."""


class ActionNotFound(NotFound):
    """The app has no such action."""


def import_app(tenant_id: str, body: JsonObject, user_id: Any) -> App:
    """The app of this manifest, created or replaced; Invalid naming what is wrong, and then nothing has changed."""
    fields = app_fields(body)
    errors = _missing_workflows(tenant_id, fields) | _missing_tools(tenant_id, fields)
    if errors:
        raise Invalid(errors)
    key = fields.pop("key")
    rows = App.objects.for_tenant(tenant_id)
    new = fields | {"created_by": user_id}
    return rows.update_or_create(tenant_id=tenant_id, key=key, defaults=fields, create_defaults=new)[0]


def _missing_workflows(tenant_id: str, fields: JsonObject) -> dict[str, list[str]]:
    faults = []
    for flow in fields["workflows"]:
        try:
            current_version(tenant_id, flow["workflow_id"])
        except NotFound:
            faults.append(f"There is no workflow {flow['workflow_id']!r}.")
    return {"workflows": faults} if faults else {}


def _missing_tools(tenant_id: str, fields: JsonObject) -> dict[str, list[str]]:
    """Scopes of type tool must name tools that exist; the tool node's own check knows which do."""
    check = NODES["tool"].check
    tool_ids = [scope["value"] for scope in fields["scopes"] if scope["type"] == "tool"]
    faults = [fault for tool_id in tool_ids for fault in (check({"tool_id": tool_id}, tenant_id) if check else ())]
    return {"scopes": faults} if faults else {}


def find_app(tenant_id: str, key: str) -> App:
    """The app of this id; AppNotFound without one."""
    app = App.objects.for_tenant(tenant_id).filter(key=key).first() if "\x00" not in key else None
    if app is None:
        raise AppNotFound(f"There is no app {key[:100]!r}.", app_id=key[:100])
    return app


@dataclass(frozen=True)
class ActionRun:
    """The run that a call of an action starts: fields of start_run."""

    current: CurrentVersion
    mode: str
    input: JsonObject
    trigger: JsonObject
    warnings: list[str]  # of references that lead nowhere


def action_call(app: App, action_id: str, event: JsonObject, context: JsonObject) -> ActionRun:
    """The run that this call of an action starts; ActionNotFound, or Invalid for an unknown mode."""
    action = next((action for action in app.actions if action["id"] == action_id), None)
    if action is None:
        raise ActionNotFound(f"The app {app.key} has no action {action_id[:100]!r}.", app_id=app.key)
    flow = next(flow for flow in app.workflows if flow["alias"] == action["workflow_alias"])
    mode = context.get("mode") or flow["default_mode"]
    if not isinstance(mode, str) or mode not in Mode:
        raise Invalid({"context.mode": ["Must be draft or auto."]})
    current = current_version(app.tenant_id, flow["workflow_id"])
    trigger = {"event": event, "context": context}
    mapping = action["input_mapping"]
    return ActionRun(current, mode, map_input(mapping, trigger), trigger, _warnings(mapping, trigger))


def map_input(mapping: JsonObject, trigger: JsonObject) -> JsonObject:
    """The run's input: texts that begin with $context or $event are references, as in workflows, and may go on with
    other text; all else is literal (FACTS, Apps).

    A path that leads nowhere in the one is looked up in the other; one that leads nowhere at all gives no key.
    """
    values = {name: _resolve(value, trigger) for name, value in mapping.items()}
    return {name: value for name, value in values.items() if value is not MISSING}


def _resolve(value: Any, trigger: JsonObject) -> Any:
    parts = _parts(value)
    first = parts[0]
    if not isinstance(first, Reference):
        return value
    if first.alone:
        return lookup(_scope(first, trigger), first.path)
    if len(parts) == 2 and (plain := _by_plain_path(value, first, trigger)) is not MISSING:
        return plain
    return "".join(part if isinstance(part, str) else part.value(_scope(part, trigger)) for part in parts)


def _parts(value: Any) -> list[Any]:
    """A text that begins with a reference, cut at its references; any other value by itself."""
    parts = split_text(value, (), TRIGGERS) if isinstance(value, str) and value.startswith("$") else []
    return parts if parts and isinstance(parts[0], Reference) else [value]


def _by_plain_path(value: str, first: Reference, trigger: JsonObject) -> Any:
    """What names lead to that hold blanks and the like: `$event.First name`."""
    source = first.base[0]
    path = path_parts(value.removeprefix(f"${source}"))
    values = (lookup(trigger[name], path) for name in _both(source))
    return next((value for value in values if value is not MISSING), MISSING)


def _scope(reference: Reference, trigger: JsonObject) -> JsonObject:
    """What the reference is looked up in: its own source, the other one when it leads nowhere there."""
    source, other = _both(reference.base[0])
    alternative = trigger | {source: trigger[other]}
    return alternative if reference.is_empty(trigger) and not reference.is_empty(alternative) else trigger


def _both(source: Any) -> tuple[str, str]:
    return ("context", "event") if source == "context" else ("event", "context")


def _warnings(mapping: JsonObject, trigger: JsonObject) -> list[str]:
    """A sentence for each field whose references lead nowhere."""
    warnings = []
    for name, value in mapping.items():
        parts = _parts(value)
        if len(parts) == 2 and _by_plain_path(value, parts[0], trigger) is not MISSING:
            continue
        empty = [part.text for part in parts if isinstance(part, Reference) and part.is_empty(_scope(part, trigger))]
        warnings += [f"input_mapping.{name}: {text} leads nowhere." for text in empty]
    return warnings
