"""A team's definition → who works when, on what, under which conditions (RULINGS §9)."""

from dataclasses import dataclass, field
from typing import Any

TYPES = ("sequential", "parallel", "pipeline", "conditional", "supervised")
ROLES = ("leader", "member", "coordinator")
SOURCES = ("initial_prompt", "agent_result", "combined", "context_variable")
TURNS = 10  # that a coordinator may give, unless workflow_definition.config.max_turns says otherwise
FIRST: dict[str, Any] = {"source": "initial_prompt"}


@dataclass(frozen=True)
class Member:
    """One agent's place in a team; `step` counts from 1 in the order of work."""

    agent_id: str
    step: int
    role: str = "member"
    input: dict[str, Any] = field(default_factory=lambda: FIRST)
    conditions: tuple[dict[str, Any], ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    retry: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How a team works."""

    type: str
    members: tuple[Member, ...]
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def coordinator(self) -> Member:
        """Who chooses, in a supervised team: the first with that role, else the first of all."""
        return next((member for member in self.members if member.role == "coordinator"), self.members[0])

    @property
    def summarizer(self) -> Member | None:
        """The leader who is to sum up at the end, if one is."""
        wanted = (member for member in self.members if member.role == "leader" and member.config.get("summarize"))
        return next(wanted, None)

    @property
    def turns(self) -> int:
        """How often a coordinator may choose."""
        return int(self.config.get("max_turns") or TURNS)


def plan_of(definition: dict[str, Any]) -> Plan:
    """The plan of a definition that was found valid."""
    ordered = sorted(enumerate(definition["agents"]), key=lambda pair: (pair[1].get("execution_order") or 0, pair[0]))
    members = tuple(_member(agent, step) for step, (_, agent) in enumerate(ordered, start=1))
    return Plan(definition["type"], members, definition.get("config") or {})


def _member(agent: dict[str, Any], step: int) -> Member:
    return Member(
        agent_id=agent["agent_id"],
        step=step,
        role=agent.get("role") or "member",
        input=agent.get("input") or FIRST,
        conditions=conditions_of(agent.get("conditions")),
        config=agent.get("config") or {},
        timeout_s=agent.get("timeout"),
        retry=retry_of(agent.get("retry_config") or {}),
    )


def conditions_of(given: Any) -> tuple[dict[str, Any], ...]:
    """{} and nothing = always; one condition, or a list of which all must hold."""
    if not given:
        return ()
    return (given,) if isinstance(given, dict) else tuple(given)


def retry_of(given: dict[str, Any]) -> dict[str, Any]:
    """{max_attempts, backoff_s}; `max_retries` counts the tries after the first."""
    attempts = given.get("max_attempts") or (given.get("max_retries") or 0) + 1
    delays = (given.get(name) for name in ("backoff_s", "delay", "retry_delay"))
    return {"max_attempts": int(attempts), "backoff_s": float(next((s for s in delays if s is not None), 1.0))}
