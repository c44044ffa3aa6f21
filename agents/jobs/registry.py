"""@job_agent registers a built-in job agent: its spec, the serializers of input and output, the function that works."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_framework import serializers

from agents.catalog.lookup import BUILT_IN, AgentSpec
from agents.models import Agent
from config.errors import AgentNotFound, DomainError
from config.plugins.registries import registry
from config.values.json_types import JsonObject

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

Work = Callable[["RunContext", JsonObject], Awaitable[JsonObject]]
Schema = type[serializers.Serializer]
VERSION = "1.0.0"


class JobFailed(DomainError):
    """The job could not be done."""

    status, code = 424, "JOB_FAILED"


@dataclass(frozen=True)
class JobAgent:
    """An agent that does jobs. `input`, `output` and `work` are a built-in agent's; a tenant's agent runs the agent
    loop.
    """

    key: str
    name: str
    description: str
    version: str = VERSION
    require_llm: bool = True
    input: Schema | None = None
    output: Schema | None = None
    work: Work | None = None

    def check_input(self, input: JsonObject) -> JsonObject:
        """The input with the types of its fields; ValidationError naming the fields of a wrong one."""
        if self.input is None:
            return input
        serializer = self.input(data=input)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def check_output(self, output: JsonObject) -> JsonObject:
        """The output data; JobFailed when it is not of its type."""
        if self.output is not None:
            serializer = self.output(data=output)
            if not serializer.is_valid():
                raise JobFailed(f"What {self.key} has found does not fit its schema: {dict(serializer.errors)}")
        return output


JOB_AGENTS: dict[str, JobAgent] = registry("job agents")


def job_agent(spec: AgentSpec, input: Schema, output: Schema, *, require_llm: bool) -> Callable[[Work], Work]:
    """Register the function behind a built-in job agent: (context, checked input) → output data."""

    def register(work: Work) -> Work:
        JOB_AGENTS[spec.id] = JobAgent(
            spec.id, spec.name, spec.description, require_llm=require_llm, input=input, output=output, work=work
        )
        BUILT_IN[spec.id] = spec
        return work

    return register


def _of_row(row: Agent) -> JobAgent:
    return JobAgent(row.key, row.name, row.description)


def job_agents(tenant_id: str) -> list[JobAgent]:
    """The built-in ones, then the tenant's own agents that are active."""
    rows = Agent.objects.for_tenant(tenant_id).filter(is_active=True).order_by("key")
    return [*JOB_AGENTS.values(), *map(_of_row, rows)]


def find_job_agent(tenant_id: str, key: str) -> JobAgent:
    """The agent of this key; AgentNotFound in the contract's words."""
    if key in JOB_AGENTS:
        return JOB_AGENTS[key]
    row = Agent.objects.for_tenant(tenant_id).filter(key=key, is_active=True).first() if "\x00" not in key else None
    if row is None:
        raise AgentNotFound(f"Agent '{key}' not found")
    return _of_row(row)
