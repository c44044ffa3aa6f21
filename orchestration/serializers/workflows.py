"""How workflows and their versions look outside (seed 000 §2), and what a request to start a run may hold."""

from collections.abc import Mapping
from typing import Any

from config.errors import Invalid
from config.http.fields import CharField, ChoiceField, ObjectField, StrictModelSerializer
from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Mode, Workflow, WorkflowType, WorkflowVersion

MAX_CENTS = 10**12
MAX_CALLS = 10**9
MAX_MS = 2**31 - 1


class WorkflowSerializer(StrictModelSerializer):
    """A workflow. `revision` is the number of its latest version; the definition comes back as it was stored."""

    name = CharField(max_length=255)
    version = CharField(max_length=64, default="1.0.0")
    type = ChoiceField(choices=WorkflowType.choices, default=WorkflowType.LINEAR)
    description = CharField(required=False, allow_blank=True, max_length=10_000)
    definition = ObjectField()

    class Meta:
        model = Workflow
        fields: tuple[str, ...] = (
            *("id", "name", "version", "type", "description", "definition", "revision", "created_at", "updated_at"),
        )
        read_only_fields = ("id", "revision", "created_at", "updated_at")


class WorkflowVersionSerializer(StrictModelSerializer):
    """What a workflow said at one save."""

    class Meta:
        model = WorkflowVersion
        fields = ("workflow_id", "revision", "type", "definition", "created_by", "created_at")
        read_only_fields = fields


def start_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """start_run's input, mode and limits from the body of POST /workflows/{id}/runs; Invalid names each wrong field.

    Without a mode the run is a draft: nothing acts before somebody has looked. Limits may stand in the input as well;
    the body's own win. Plain code instead of a serializer, because this is the busiest route.
    """
    errors: dict[str, list[str]] = {}
    given = body.get("input")
    if given is None:
        given = {}
    elif not isinstance(given, dict):
        errors["input"] = ["Must be an object."]
        given = {}
    mode = body.get("mode", Mode.DRAFT)
    if not isinstance(mode, str) or mode not in Mode:
        errors["mode"] = ["Must be draft or auto."]
    fields = {"input": given, "mode": mode}
    for name, (target, most, whole) in LIMITS.items():
        source, path = (body, name) if body.get(name) is not None else (given, f"input.{name}")
        value = source.get(name)
        if value is None:
            continue
        least = 1 if name == "latency_slo_ms" else 0
        if (
            isinstance(value, bool)
            or not isinstance(value, int if whole else int | float)
            or not least <= value <= most
        ):
            errors[path] = [f"Must be a {'whole ' if whole else ''}number from {least} to {most}."]
        else:
            fields[target] = round(value * MICRO_PER_CENT) if target == "cost_limit_micro" else value
    priority = body.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int) or not -10 <= priority <= 10:
        errors["priority"] = ["Must be a whole number from -10 to 10; the tenant's higher ones go first."]
    if errors:
        raise Invalid(errors)
    return fields | {"priority": priority}


LIMITS = {
    "cost_limit_cents": ("cost_limit_micro", MAX_CENTS, False),
    "llm_calls_limit": ("calls_limit", MAX_CALLS, True),
    "latency_slo_ms": ("latency_limit_ms", MAX_MS, True),
}
