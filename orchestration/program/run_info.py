"""A claimed run, with what was recorded of it before and what waits for it now."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from config.database.pipeline import Row
from config.values.json_types import JsonObject

# A run that has seen so many engines die beside others that lived on is a suspect: it is claimed only by an engine of a
# process apart (engine/isolation.py), with the other suspects: most of them are innocent, and wait for nobody there.
SUSPECT_DEATHS = 2
# If that process dies too, those that were in it run alone, where a death is their own doing.
ALONE_DEATHS = 3


@dataclass(slots=True)
class StepRecord:
    """A step's row as a replay finds it."""

    status: str
    output: Any = None
    error: dict[str, str] | None = None
    tries: int = 0
    retry_at: datetime | None = None
    position: int = 0


@dataclass(slots=True)
class Inbox:
    """What waits for a run: events sent to it, decided approvals by step, finished children by step."""

    signals: list[Row] = field(default_factory=list)
    approvals: dict[str, Row] = field(default_factory=dict)
    children: dict[str, Row] = field(default_factory=dict)


@dataclass(slots=True)
class RunInfo:
    """A claimed run, as programs see it."""

    id: UUID
    tenant_id: str
    kind: str
    subject_id: str
    subject_version: int | None
    mode: str
    input: Any
    created_by: UUID | None
    on_behalf_of: str
    app_id: str
    app_action_id: str
    trigger: JsonObject | None
    origin: JsonObject | None
    policy: JsonObject | None
    trace_id: str
    parent_id: UUID | None
    depth: int
    attempt: int
    deaths: int
    held_against: int
    suspect_deaths: int
    cancel_requested: bool
    deadline_at: datetime | None
    budget_ids: list[int]
    created_at: datetime
    has_limits: bool = False  # something was reserved for it
    last_seq: int = 0
    steps: dict[str, StepRecord] = field(default_factory=dict)
    started_steps: set[str] = field(default_factory=set)  # whose start is in the events
    inbox: Inbox = field(default_factory=Inbox)

    @property
    def runs_alone(self) -> bool:
        """Whether it is a suspect with which no other may run."""
        return self.suspect_deaths >= ALONE_DEATHS

    @property
    def own_deaths(self) -> int:
        """The deaths that count against it: those alone, and one that it had with other suspects before."""
        return self.held_against + self.runs_alone
