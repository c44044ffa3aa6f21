"""Runs, steps and events in responses (seed 000 §3, plus RULINGS' additive keys)."""

import uuid
from datetime import UTC, datetime

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.http.fields import TextOrNullField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from governance.serializers.money import CentsField
from orchestration.models import Mode, Run, Status, StepStatus

EXAMPLE_MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
EXAMPLE_RUN = Run(
    id=uuid.UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"), kind="workflow", mode=Mode.AUTO, status=Status.COMPLETED,
    subject_id="0197a3c1-0000-7000-8000-000000000001", subject_version=3, tenant_id="acme", input={"sum": 120},
    result={"refunded": True}, on_behalf_of="ana", cost_limit_micro=500_000, llm_calls=2, cost_micro=1_234,
    prompt_tokens=310, completion_tokens=42, created_at=EXAMPLE_MOMENT, updated_at=EXAMPLE_MOMENT,
    started_at=EXAMPLE_MOMENT, finished_at=EXAMPLE_MOMENT,
)  # fmt: skip


def step_id(run_id: uuid.UUID, name: str) -> str:
    """A step's id: made of the run's id and the step's name, so that it is stored nowhere."""
    return str(uuid.uuid5(run_id, name))


class UsageSerializer(ResponseSerializer):
    """What a run has used so far."""

    llm_calls = serializers.IntegerField()
    cost_cents = CentsField(source="cost_micro")
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()


class RunLimitsSerializer(ResponseSerializer):
    """The limits of a run and its children; null where there is none."""

    cost_limit_cents = CentsField(source="cost_limit_micro", allow_null=True)
    llm_calls_limit = serializers.IntegerField(source="calls_limit", allow_null=True)
    latency_slo_ms = serializers.IntegerField(source="latency_limit_ms", allow_null=True)


class RunSerializer(ResponseSerializer):
    """A run of any kind."""

    example = EXAMPLE_RUN

    id = serializers.UUIDField()
    kind = serializers.CharField()
    workflow_id = serializers.CharField(
        source="subject_id", help_text="What is run: the workflow's id, or another kind's subject."
    )
    workflow_version = serializers.IntegerField(source="subject_version", allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    mode = serializers.ChoiceField(Mode.choices)
    input = serializers.JSONField()
    result = serializers.JSONField(allow_null=True)
    failure_reason = TextOrNullField()
    usage = UsageSerializer(source="*")
    budget = RunLimitsSerializer(source="*")
    app_id = TextOrNullField()
    app_action_id = TextOrNullField()
    user_id = serializers.SerializerMethodField(help_text="The caller's own end user, else who started the run.")
    tenant_id = serializers.CharField()
    parent_run_id = serializers.UUIDField(source="parent_id", allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_user_id(self, run: Run) -> str | None:
        return run.on_behalf_of or (str(run.created_by) if run.created_by else None)

    @classmethod
    def render_start(cls, run: Run) -> JsonObject:
        """The run as the response to its start showed it, for the replay of that response."""
        pending = Run(
            id=run.id, kind=run.kind, subject_id=run.subject_id, subject_version=run.subject_version, mode=run.mode,
            input=run.input, cost_limit_micro=run.cost_limit_micro, calls_limit=run.calls_limit,
            latency_limit_ms=run.latency_limit_ms, app_id=run.app_id, app_action_id=run.app_action_id,
            created_by=run.created_by, on_behalf_of=run.on_behalf_of, tenant_id=run.tenant_id,
        )  # fmt: skip
        pending.created_at = pending.updated_at = run.created_at
        return cls.render(pending)


class EventSerializer(ResponseSerializer):
    """An event of a run; `seq` has no gaps. Its row is {run_id, seq, kind, step, payload, ts}."""

    example = {
        "run_id": EXAMPLE_RUN.id,
        "seq": 4,
        "step": "gate",
        "kind": "approval_requested",
        "payload": {"node_id": "gate", "message": "Pay it back?"},
        "ts": EXAMPLE_MOMENT,
    }

    id = serializers.SerializerMethodField()
    seq = serializers.IntegerField()
    step_id = serializers.SerializerMethodField()
    kind = serializers.CharField()
    payload = serializers.DictField()
    ts = serializers.DateTimeField()

    def get_id(self, row: JsonObject) -> str:
        return f"{row['run_id']}-{row['seq']}"

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_step_id(self, row: JsonObject) -> str | None:
        return step_id(row["run_id"], row["step"]) if row["step"] else None


class StepSerializer(ResponseSerializer):
    """A step of a run; its row is one of orchestration.runs.steps."""

    example = {
        "run_id": EXAMPLE_RUN.id,
        "name": "amount",
        "node_id": "amount",
        "type": "transform",
        "tries": 1,
        "status": StepStatus.COMPLETED,
        "input": None,
        "output": {"large": True, "sum": 120},
        "error": None,
        "empty_references": [],
        "started_at": EXAMPLE_MOMENT,
        "finished_at": EXAMPLE_MOMENT,
    }

    id = serializers.SerializerMethodField()
    name = serializers.CharField()
    node_id = serializers.CharField(allow_null=True)
    type = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(StepStatus.choices)
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    empty_references = serializers.ListField(
        child=serializers.CharField(), help_text="References of its config that led nowhere, such as $input.nmae."
    )
    tries = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.UUIDField())
    def get_id(self, row: JsonObject) -> str:
        return step_id(row["run_id"], row["name"])


class SentEventSerializer(ResponseSerializer):
    """An event that was sent to a run."""

    message = serializers.CharField()
    id = serializers.IntegerField()
    run_id = serializers.UUIDField()
    name = serializers.CharField()
