"""@tool registers a built-in tool; ToolSpec is what any tool is known by, ToolCall what its function gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from config.values.foreign_json import clean_value
from config.values.json_schema import checked
from orchestration.program.draft_effects import Staged, effect_id

if TYPE_CHECKING:
    from orchestration.models import Change
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

Handler = Callable[["ToolCall"], Any]  # sync functions run in a thread, async ones on the loop
Canonical = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Staging:
    """How a tool's calls are staged in a draft. `conflict` returns why a change no longer fits what it was staged for
    ("" when it does; the list are the changes that are applied before it), `apply` makes its call; without `apply` the
    handler is called.
    """

    stage: Callable[["ToolCall"], Awaitable[Staged]]
    conflict: Callable[["Change", list["Change"]], str] | None = None
    apply: Callable[["ToolCall", "Change"], Awaitable[Any]] | None = None


@dataclass(frozen=True)
class ToolSpec:
    """A tool, built-in or a tenant's."""

    id: str
    name: str
    description: str
    input_schema: dict[str, Any]
    handler: Handler
    handler_type: str = "builtin"
    handler_config: dict[str, Any] = field(default_factory=dict)
    risk_level: str = "low"
    side_effects: tuple[str, ...] = ()
    idempotent: bool = True  # a call whose answer was lost may be made again
    acts_on: Callable[[dict[str, Any]], bool] | None = None
    canonical: Canonical | None = None  # one spelling for arguments that have several (agents/tools/canonical.py)
    contained: bool = False  # it acts within its run alone: after a crash the model decides, and no person is asked
    needs_scope: bool = False  # only apps that name it in their scopes may call it
    remembers: bool = False  # it acts in a conversation's turn although that is a draft (RULINGS §7)
    staging: Staging | None = None
    sealed: str = ""  # a tenant's tool: its secrets, encrypted (governance/vault.py)

    def canonical_input(self, input: Any) -> dict[str, Any]:
        """The arguments in the one form in which the tool acts on them; Invalid naming what it does not take.

        Policies, approvals, records and the handler get this form, and it is its own canonical form.
        """
        arguments = checked(self.input_schema, clean_value(input))
        return self.canonical(arguments) if self.canonical else arguments

    def acts(self, input: dict[str, Any]) -> bool:
        """True when a call with this input changes something outside; effects that only read are named *_read."""
        writes = any(not effect.endswith("_read") for effect in self.side_effects)
        return writes and (self.acts_on is None or self.acts_on(input))


@dataclass(frozen=True)
class ToolCall:
    """One call, its input in canonical form. `ctx` is its run's, `agent_id` the agent that makes it, if one does."""

    tenant_id: str
    tool: ToolSpec
    input: dict[str, Any]
    run: "RunInfo | None" = None
    step: str = ""
    mode: str = "auto"
    ctx: "RunContext | None" = None
    agent_id: str = ""

    @property
    def key(self) -> str:
        """What the receiver may recognise a repeated call by; empty outside of runs."""
        return f"{self.run.id}:{self.step}" if self.run else ""

    @property
    def effect_id(self) -> UUID | None:
        """The id of what the call makes: the same when it is staged, applied or done again."""
        return effect_id(self.run.id, self.step) if self.run else None

    async def database(self, work: Callable[[], Any]) -> Any:
        """What the sync `work` gives, which may use the ORM; it may be done again (RunContext.database)."""
        assert self.ctx, "this tool works within a run only"
        return await self.ctx.database(work)

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """What the sync `work` gives, which only computes or reads the disk."""
        assert self.ctx, "this tool works within a run only"
        return await self.ctx.engine.in_thread(work)


BUILT_IN: dict[str, ToolSpec] = {}


def tool(
    id: str,
    name: str,
    description: str,
    input_schema: dict[str, Any],
    *,
    risk_level: str = "low",
    side_effects: tuple[str, ...] = (),
    idempotent: bool = True,
    acts_on: Callable[[dict[str, Any]], bool] | None = None,
    canonical: Canonical | None = None,
    contained: bool = False,
    needs_scope: bool = False,
    remembers: bool = False,
    staging: Staging | None = None,
) -> Callable[[Handler], Handler]:
    """Register the function behind a built-in tool; `acts_on` tells which inputs have the side effects, if not all;
    `canonical` gives arguments the form in which the function acts on them.
    """

    def register(function: Handler) -> Handler:
        BUILT_IN[id] = ToolSpec(
            id,
            name,
            description,
            input_schema,
            function,
            risk_level=risk_level,
            side_effects=side_effects,
            idempotent=idempotent,
            acts_on=acts_on,
            canonical=canonical,
            contained=contained,
            needs_scope=needs_scope,
            remembers=remembers,
            staging=staging,
        )
        return function

    return register
