"""@job_agent registers a built-in job agent: what it is, the input that it takes, the function that does the work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from agents.catalog.lookup import BUILT_IN, AgentSpec
from agents.models import Agent
from config.errors import AgentNotFound, DomainError
from config.plugins.registries import registry

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

Work = Callable[["RunContext", dict[str, Any]], Awaitable[dict[str, Any]]]
VERSION = "1.0.0"


class JobFailed(DomainError):
    """The job could not be done."""

    status, code = 424, "JOB_FAILED"


@dataclass(frozen=True)
class JobAgent:
    """What an agent of jobs is known by. `input`, `output` and `work` are a built-in one's; a tenant's runs the agent
    loop.
    """

    key: str
    name: str
    description: str
    version: str = VERSION
    require_llm: bool = True
    input: type[serializers.Serializer] | None = None
    output: type[serializers.Serializer] | None = None
    work: Work | None = None

    def described(self) -> dict[str, Any]:
        """The agent as the contract lists it."""
        return {name: getattr(self, name) for name in ("key", "name", "description", "version", "require_llm")}

    def checked(self, given: dict[str, Any]) -> dict[str, Any]:
        """The input, typed; ValidationError naming the fields of the wrong shape."""
        if self.input is None:
            return given
        checked = self.input(data=given)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def finished(self, told: dict[str, Any]) -> dict[str, Any]:
        """The output data; JobFailed when it is not of its type."""
        if self.output is not None:
            checked = self.output(data=told)
            if not checked.is_valid():
                raise JobFailed(f"What {self.key} has found does not fit its schema: {dict(checked.errors)}")
        return told


JOB_AGENTS: dict[str, JobAgent] = registry("job agents")
Typed = type[serializers.Serializer]


def job_agent(agent: AgentSpec, input: Typed, output: Typed, *, require_llm: bool) -> Callable[[Work], Work]:
    """Register the function behind a built-in job agent: (context, checked input) → output data."""

    def register(work: Work) -> Work:
        told = JobAgent(
            agent.id, agent.name, agent.description, require_llm=require_llm, input=input, output=output, work=work
        )
        JOB_AGENTS[agent.id], BUILT_IN[agent.id] = told, agent
        return work

    return register


def _of(row: Agent) -> JobAgent:
    return JobAgent(row.key, row.name, row.description)


def job_agents(tenant_id: str) -> list[JobAgent]:
    """The built-in ones, then the tenant's own agents that are active."""
    own = Agent.objects.for_tenant(tenant_id).filter(is_active=True).order_by("key")
    return [*JOB_AGENTS.values(), *map(_of, own)]


def find_job_agent(tenant_id: str, key: str) -> JobAgent:
    """The agent of this key; AgentNotFound in the contract's words."""
    if key in JOB_AGENTS:
        return JOB_AGENTS[key]
    row = Agent.objects.for_tenant(tenant_id).filter(key=key, is_active=True).first() if "\x00" not in key else None
    if row is None:
        raise AgentNotFound(f"Agent '{key}' not found")
    return _of(row)
