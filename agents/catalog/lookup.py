"""The agents of a tenant: its own, and the built-in ones, which every tenant has and none can change.

Two pick routes and judge conditions for workflows; the others do jobs (agents/jobs/plugins/).
"""

from dataclasses import dataclass, field

from agents.llm.chat_model import ModelProfile
from agents.llm.model_choice import default_model
from agents.models import Agent
from config.errors import AgentNotFound
from config.values.json_types import JsonObject


@dataclass(frozen=True)
class AgentSpec:
    """An agent, built-in or a tenant's, as the loop needs it."""

    id: str
    name: str
    description: str = ""
    instructions: str = ""
    profile: ModelProfile = field(default_factory=ModelProfile)
    allowed_tools: tuple[str, ...] = ()
    is_active: bool = True
    max_turns: int = 10
    output_schema: JsonObject | None = None
    recalls: bool = True
    remembers: bool = True
    aliases: tuple[tuple[str, str], ...] = ()  # (a name that models use too, the tool that they mean)


ROUTER = AgentSpec(
    id="agent.router",
    name="Router",
    description="Picks the route of a workflow's router node.",
    recalls=False,
    remembers=False,
    instructions=(
        "You route work. You get a list of routes, each with an id and what it is for, and what has to be routed. "
        "Choose the one route that fits best. Answer with that route's id and nothing else: no quotes, no explanation."
    ),
)
CONDITION_EVALUATOR = AgentSpec(
    id="agent.condition_evaluator",
    name="Condition Evaluator",
    description="Judges the conditions of a workflow's edges that are written in plain language.",
    recalls=False,
    remembers=False,
    instructions=(
        "You judge conditions. You get a numbered list of conditions and an output. Answer with the number of the "
        "first condition that the output fulfils, or 0 when it fulfils none. Answer with the number and nothing else."
    ),
)
BUILT_IN: dict[str, AgentSpec] = {agent.id: agent for agent in (CONDITION_EVALUATOR, ROUTER)}  # jobs add theirs


def built_in_agents() -> list[AgentSpec]:
    """The built-in agents with the model that they use here."""
    return [_with_model(agent) for agent in BUILT_IN.values()]


def _with_model(agent: AgentSpec) -> AgentSpec:
    return AgentSpec(**{**vars(agent), "profile": default_model()})


def find_agent(tenant_id: str, agent_id: str) -> AgentSpec:
    """The agent of this id, built-in or the tenant's; AgentNotFound without one."""
    if agent_id in BUILT_IN:
        return _with_model(BUILT_IN[agent_id])
    row = Agent.objects.for_tenant(tenant_id).filter(key=agent_id).first()
    if row is None:
        raise AgentNotFound(f"There is no agent {agent_id!r}.", agent_id=agent_id)
    return spec(row)


def spec(row: Agent) -> AgentSpec:
    """A stored agent as the loop needs it."""
    return AgentSpec(
        id=row.key,
        name=row.name,
        description=row.description,
        instructions=row.instructions,
        profile=profile_of(row.model_profile),
        allowed_tools=tuple(row.allowed_tools),
        is_active=row.is_active,
        max_turns=row.max_turns,
        output_schema=row.output_schema,
        recalls=row.memory.get("recall", True),
        remembers=row.memory.get("store", True),
    )


def profile_of(profile: JsonObject) -> ModelProfile:
    """A model profile as it is stored; what it leaves open is empty."""
    return ModelProfile(
        profile.get("provider") or "",
        profile.get("model") or "",
        profile.get("temperature"),
        profile.get("max_tokens"),
        profile.get("timeout_s"),
        tuple(profile_of(fallback) for fallback in profile.get("fallbacks") or ()),
    )
