"""@tool registers a built-in tool; ToolSpec is what any tool is known by, ToolCall what its function gets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.claims import RunInfo

Handler = Callable[["ToolCall"], Any]  # sync functions run in a thread, async ones on the loop


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

    def acts(self, input: dict[str, Any]) -> bool:
        """True when a call with this input changes something outside; effects that only read are named *_read."""
        writes = any(not effect.endswith("_read") for effect in self.side_effects)
        return writes and (self.acts_on is None or self.acts_on(input))


@dataclass(frozen=True)
class ToolCall:
    """One call, its input checked and coerced. `run` is None outside of runs."""

    tenant_id: str
    tool: ToolSpec
    input: dict[str, Any]
    run: "RunInfo | None" = None
    step: str = ""
    mode: str = "auto"

    @property
    def key(self) -> str:
        """What the receiver may recognise a repeated call by; empty outside of runs."""
        return f"{self.run.id}:{self.step}" if self.run else ""


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
) -> Callable[[Handler], Handler]:
    """Register the function behind a built-in tool; `acts_on` tells which inputs have the side effects, if not all."""

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
        )
        return function

    return register
