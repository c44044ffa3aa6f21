"""dummy: echoes its input, so that jobs can be tried without a model."""

from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework import serializers

from agents.catalog.lookup import AgentSpec
from agents.jobs.registry import VERSION, JobFailed, job_agent
from config.http.fields import BooleanField, CharField, DateTimeField, FloatField, ObjectField, UUIDField, iso
from config.values.json_types import JsonObject

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

AGENT = AgentSpec(
    id="dummy",
    name="DummyAgent",
    description="Agente de teste para validar infraestrutura de IA",
    instructions="You are a test agent. Answer each message with one short sentence that repeats what it says.",
    recalls=False,
    remembers=False,
)
MAX_DELAY_S = 5


class Input(serializers.Serializer):
    """The input of dummy (seed 002)."""

    echo = serializers.JSONField(required=False, allow_null=True)
    simulate_delay = FloatField(required=False, min_value=0, max_value=MAX_DELAY_S, help_text="Seconds.")
    simulate_error = BooleanField(required=False, help_text="Break while it works.")
    simulate_failure = BooleanField(required=False, help_text="Find the input unfit.")


class Output(serializers.Serializer):
    """The output of dummy (seed 002)."""

    message = CharField()
    agent_key = CharField()
    agent_version = CharField()
    tenant_id = CharField()
    tenant_schema = CharField()
    job_id = UUIDField()
    input_received = ObjectField()
    timestamp = DateTimeField()
    echo = serializers.JSONField(required=False)


@job_agent(AGENT, Input, Output, require_llm=False)
async def echo_input(ctx: "RunContext", values: JsonObject) -> JsonObject:
    """Output: the run's input and `echo`, after the delay; JobFailed when the input asks for it."""
    if values.get("simulate_failure"):
        raise JobFailed("Simulated validation failure (simulate_failure)")
    if values.get("simulate_delay"):
        await ctx.sleep("delay", values["simulate_delay"])
    if values.get("simulate_error"):
        raise JobFailed("Simulated error (simulate_error)")
    run = ctx.run
    output = {
        "message": "Dummy agent executed successfully",
        "agent_key": AGENT.id,
        "agent_version": VERSION,
        "tenant_id": run.tenant_id,
        "tenant_schema": run.tenant_id,
        "job_id": str(run.id),
        "input_received": run.input,
        "timestamp": iso(timezone.now()),
    }
    return output | ({"echo": values["echo"]} if values.get("echo") else {})
