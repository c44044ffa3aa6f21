"""@tool registers a built-in tool; ToolSpec describes any tool, ToolCall is what its function gets."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID

from config.plugins.registries import registry
from config.values.foreign_json import clean_value
from config.values.json_schema import schema_problems, validate_input
from config.values.json_types import JsonObject
from orchestration.runs.draft_effects import StagedEffect, effect_id

if TYPE_CHECKING:
    from orchestration.models import Change
    from orchestration.program.context import RunContext
    from orchestration.program.run_info import RunInfo

Handler = Callable[["ToolCall"], Awaitable[Any]]
Function = Callable[["ToolCall"], Any]  # of a built-in tool: async, or sync
Canonical = Callable[[JsonObject], JsonObject]


@dataclass(frozen=True)
class Staging:
    """How a tool's calls are staged in a draft. `conflict` says why a change no longer fits what is there ("" when it
    does; `earlier` are those applied before it), `apply` makes it happen; without it the handler is called.
    """

    stage: Callable[["ToolCall"], Awaitable[StagedEffect]]
    conflict: Callable[["Change", list["Change"]], str] | None = None
    apply: Callable[["ToolCall", "Change"], Awaitable[Any]] | None = None


@dataclass(frozen=True)
class ToolSpec:
    """A tool, built-in or a tenant's."""

    id: str
    name: str
    description: str
    input_schema: JsonObject
    handler: Handler
    handler_type: str = "builtin"
    handler_config: JsonObject = field(default_factory=dict)
    risk_level: str = "low"
    side_effects: tuple[str, ...] = ()
    idempotent: bool = True  # a call whose answer was lost may be made again
    acts_on: Callable[[JsonObject], bool] | None = None  # the inputs that have the side effects, if not all
    canonical: Canonical | None = None  # one spelling for arguments that have several (agents/tools/canonical.py)
    is_contained: bool = False  # it acts within its run alone: after a crash the model decides, and no person is asked
    needs_scope: bool = False  # only apps that name it in their scopes may call it
    remembers: bool = False  # it acts in a conversation's turn although that is a draft (RULINGS §7)
    staging: Staging | None = None
    sealed_secrets: str = ""  # a tenant's tool: its secrets, encrypted (governance/vault.py)

    def canonical_input(self, input: Any) -> JsonObject:
        """The arguments in the one form in which the tool acts on them; Invalid naming what it does not take.

        Policies, approvals, records and the handler get this form, and it is its own canonical form.
        """
        arguments = validate_input(self.input_schema, clean_value(input))
        return self.canonical(arguments) if self.canonical else arguments

    def acts(self, input: JsonObject) -> bool:
        """True when a call with this input changes something outside; effects that only read are named *_read."""
        writes = any(not effect.endswith("_read") for effect in self.side_effects)
        return writes and (self.acts_on is None or self.acts_on(input))


@dataclass(frozen=True)
class ToolCall:
    """One call of a run's step; `input` is in canonical form once it is coerced, `agent_id` the agent that makes it.

    `run` is the run that the call belongs to: of an applied draft the draft, while `ctx` is that of the run at work.
    """

    ctx: "RunContext"
    tool: ToolSpec
    input: JsonObject
    step: str
    mode: str
    run: "RunInfo"
    agent_id: str = ""

    @property
    def tenant_id(self) -> str:
        """The run's tenant."""
        return self.run.tenant_id

    @property
    def key(self) -> str:
        """What the receiver may recognise a repeated call by."""
        return f"{self.run.id}:{self.step}"

    @property
    def effect_id(self) -> UUID:
        """The id of what the call makes: the same when it is staged, applied or done again."""
        return effect_id(self.run.id, self.step)

    @property
    def is_staged(self) -> bool:
        """Whether it is put on record as a change of a draft, in place of acting."""
        if self.mode != "draft" or not self.tool.acts(self.input):
            return False
        return not (self.tool.remembers and self.run.kind == "conversation")

    async def database(self, work: Callable[[], Any]) -> Any:
        """The result of the sync `work`, which may use the ORM; it may be done again (RunContext.database)."""
        return await self.ctx.database(work)

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """The result of the sync `work`, which only computes or reads the disk."""
        return await self.ctx.engine.in_thread(work)


def check_tool(tool: ToolSpec) -> list[str]:
    """What is wrong with a tool that a plug-in brings."""
    return schema_problems(tool.input_schema)


BUILT_IN: dict[str, ToolSpec] = registry("tools", check_tool)


class ToolOptions(TypedDict, total=False):
    """The fields of ToolSpec that a built-in tool may set."""

    risk_level: str
    side_effects: tuple[str, ...]
    idempotent: bool
    acts_on: Callable[[JsonObject], bool]
    canonical: Canonical
    is_contained: bool
    needs_scope: bool
    remembers: bool
    staging: Staging


def tool(
    id: str, name: str, description: str, input_schema: JsonObject, **options: Unpack[ToolOptions]
) -> Callable[[Function], Function]:
    """Register the function behind a built-in tool: an async one, or a sync one, which runs in a thread."""

    def register(function: Function) -> Function:
        BUILT_IN[id] = ToolSpec(id, name, description, input_schema, _async_handler(function), **options)
        return function

    return register


def _async_handler(function: Function) -> Handler:
    """The function as a handler; a sync one in a thread."""
    if inspect.iscoroutinefunction(function):
        return function

    @wraps(function)
    async def handler(call: ToolCall) -> Any:
        return await call.in_thread(partial(function, call))

    return handler
