"""The plan of a team's definition: which agent works when, on what, under which conditions (RULINGS §9)."""

from dataclasses import dataclass, field

from config.values.json_types import Json, JsonObject

TYPES = ("sequential", "parallel", "pipeline", "conditional", "supervised")
ROLES = ("leader", "member", "coordinator")
SOURCES = ("initial_prompt", "agent_result", "combined", "context_variable")
DEFAULT_TURNS = 10  # of a coordinator, unless workflow_definition.config.max_turns is set
BACKOFF_KEYS = ("backoff_s", "delay", "retry_delay")


@dataclass(frozen=True)
class Source:
    """Where an agent's input comes from; `parts` are those of a combined one."""

    kind: str = "initial_prompt"
    agent_id: str = ""
    variable_name: str = ""
    parts: tuple["Source", ...] = ()

    @classmethod
    def of(cls, source: JsonObject) -> "Source":
        """The source, read from a definition: its kind is `source`, of a part `type`."""
        return cls(
            kind=source.get("source") or source.get("type") or "initial_prompt",
            agent_id=source.get("agent_id") or "",
            variable_name=source.get("variable_name") or "",
            parts=tuple(cls.of({"source": part.get("type")} | part) for part in source.get("sources") or ()),
        )


@dataclass(frozen=True)
class Condition:
    """A comparison of a field: of an agent's output, or without `agent_id` of the execution's context."""

    operator: str
    value: Json = None
    field: str = "result"
    agent_id: str = ""

    @classmethod
    def of(cls, condition: JsonObject) -> "Condition":
        """The condition, read from a definition."""
        path, agent_id = condition.get("field") or "result", condition.get("agent_id") or ""
        return cls(condition["operator"], condition.get("value"), path, agent_id)


@dataclass(frozen=True)
class RetryConfig:
    """How often an agent's work is tried, and the seconds before the second try."""

    max_attempts: int = 1
    backoff_s: float = 1.0

    @classmethod
    def of(cls, config: JsonObject) -> "RetryConfig":
        """The setting, read from a definition; `max_retries` counts the tries after the first."""
        attempts = config.get("max_attempts") or (config.get("max_retries") or 0) + 1
        delays = (config[name] for name in BACKOFF_KEYS if config.get(name) is not None)
        return cls(int(attempts), float(next(delays, 1.0)))


@dataclass(frozen=True)
class Member:
    """One agent's place in a team; `step` counts from 1 in the order of work."""

    agent_id: str
    step: int
    role: str = "member"
    source: Source = Source()
    conditions: tuple[Condition, ...] = ()
    config: JsonObject = field(default_factory=dict)
    timeout_s: float | None = None
    retry: RetryConfig = RetryConfig()


@dataclass(frozen=True)
class Plan:
    """How a team works."""

    type: str
    members: tuple[Member, ...]
    config: JsonObject = field(default_factory=dict)

    @property
    def coordinator(self) -> Member:
        """The member that chooses in a supervised team: the first with that role, else the first of all."""
        return next((member for member in self.members if member.role == "coordinator"), self.members[0])

    @property
    def summarizer(self) -> Member | None:
        """The leader whose config says `summarize`; None without one."""
        leaders = (member for member in self.members if member.role == "leader" and member.config.get("summarize"))
        return next(leaders, None)

    @property
    def turns(self) -> int:
        """How often a coordinator may choose."""
        return int(self.config.get("max_turns") or DEFAULT_TURNS)


def plan_of(definition: JsonObject) -> Plan:
    """The plan of a definition that has passed check_definition()."""
    agents = sorted(enumerate(definition["agents"]), key=lambda pair: (pair[1].get("execution_order") or 0, pair[0]))
    members = tuple(_member(agent, step) for step, (_, agent) in enumerate(agents, start=1))
    return Plan(definition["type"], members, definition.get("config") or {})


def _member(agent: JsonObject, step: int) -> Member:
    return Member(
        agent_id=agent["agent_id"],
        step=step,
        role=agent.get("role") or "member",
        source=Source.of(agent.get("input") or {}),
        conditions=tuple(Condition.of(condition) for condition in condition_list(agent.get("conditions"))),
        config=agent.get("config") or {},
        timeout_s=agent.get("timeout"),
        retry=RetryConfig.of(agent.get("retry_config") or {}),
    )


def condition_list(conditions: Json) -> list[Json]:
    """The conditions, of which all must hold: {} and nothing are none, an object is one."""
    if not conditions:
        return []
    return [conditions] if isinstance(conditions, dict) else list(conditions)
