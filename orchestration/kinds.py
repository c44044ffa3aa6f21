"""The kinds of runs, and what each declares: all that the product does differently for it. Nothing else names a kind.

`@program(kind, …)` in orchestration/program/registry.py declares a kind together with its program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.plugins.registries import registry
from config.values.json_schema import schema_problems
from config.values.json_types import JsonObject

if TYPE_CHECKING:
    from orchestration.program.run_info import RunInfo

MAX_KIND_LENGTH = 32  # characters: the column's width
BudgetOwners = Callable[["RunInfo"], dict[str, str]]


@dataclass(frozen=True)
class RunKind:
    """What a kind of run declares.

    `per_user`: so many of a user's runs may be under way, and the others wait. `private`: a run is shown to the user
    who started it, and to nobody else. `internal`: the product's own work, which no metric counts as the tenant's.
    `subject`: what a run's subject_id names, "workflow" (policies see its id) or "agent" (the audit log does).
    `budget_owners`: whose limits count beside those of the tenant, user, app and agent, as {scope: id}. `public`: POST
    /api/v1/programs/{kind}/runs starts it, with an input that is coerced to `input_schema`, a JSON Schema.
    """

    name: str
    per_user: int | Callable[[], int] | None = None
    private: bool = False
    internal: bool = False
    subject: str = ""
    budget_owners: BudgetOwners | None = None
    public: bool = False
    input_schema: JsonObject | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= MAX_KIND_LENGTH:
            raise ValueError(f"The kind {self.name!r} must have 1 to {MAX_KIND_LENGTH} characters.")

    @property
    def user_cap(self) -> int | None:
        """`per_user` as it is set now."""
        return self.per_user() if callable(self.per_user) else self.per_user


def check_kind(kind: RunKind) -> list[str]:
    """What is wrong with a kind that a plug-in brings."""
    return schema_problems(kind.input_schema) if kind.input_schema is not None else []


KINDS: dict[str, RunKind] = registry("programs", check_kind)


def private_kinds() -> list[str]:
    """The kinds whose runs are shown to nobody but the user who started them."""
    return [kind.name for kind in KINDS.values() if kind.private]


def internal_kinds() -> list[str]:
    """The kinds of the product's own work."""
    return [kind.name for kind in KINDS.values() if kind.internal]


def user_caps() -> dict[str, int]:
    """How many runs of a kind a user may have under way, for the kinds that have such a limit."""
    caps = {kind.name: kind.user_cap for kind in KINDS.values()}
    return {name: cap for name, cap in caps.items() if cap is not None}


def subject_of(kind: str, subject_id: str, type: str) -> str:
    """The id of the workflow or agent (`type`) that a run of this kind is of; "" when its subject is none."""
    return subject_id if kind in KINDS and KINDS[kind].subject == type else ""


def budget_owners(run: "RunInfo") -> dict[str, str]:
    """Whose limits the run's calls come under, beside those of its tenant, user, app and agent, as {scope: id}."""
    kind = KINDS.get(run.kind)
    return kind.budget_owners(run) if kind and kind.budget_owners else {}
