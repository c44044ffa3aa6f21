"""Where the apps above register what the engine can run, so that the engine imports none of them.

`@program("workflow")` registers the async function that drives a run of that kind; `@node("agent")` the one behind a
node type.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

Program = Callable[["RunContext"], Awaitable[Any]]


@dataclass(frozen=True)
class NodeCall:
    """One visit of a workflow's node: its config, and its input with all data references replaced."""

    name: str  # the step's name, unique in the run: "triage", on a second visit "triage#2"
    node_id: str
    type: str
    config: dict[str, Any]
    input: Any
    scope: dict[str, Any] = field(default_factory=dict)  # input, steps, context, event, item: what templates may name
    empty: list[str] = field(default_factory=list)  # references of its config that lead nowhere, as they are written


NodeFunction = Callable[["RunContext", NodeCall], Awaitable[Any]]


@dataclass(frozen=True)
class NodeKind:
    """A node type: what it does, and how a definition's config for it is checked."""

    type: str
    run: NodeFunction
    pure: bool  # it only computes: doing it twice changes nothing, so its record may ride with the next one
    check: Callable[[dict[str, Any], str], list[str]] | None  # (config, tenant_id) → sentences about what is wrong


PROGRAMS: dict[str, Program] = {}
NODES: dict[str, NodeKind] = {}


def program(kind: str) -> Callable[[Program], Program]:
    """Register the program of a kind of run."""

    def register(function: Program) -> Program:
        PROGRAMS[kind] = function
        return function

    return register


def node(
    type: str, *, pure: bool = False, check: Callable[[dict[str, Any], str], list[str]] | None = None
) -> Callable[[NodeFunction], NodeFunction]:
    """Register a node type; `check` names what is wrong with a config when a definition is saved."""

    def register(function: NodeFunction) -> NodeFunction:
        NODES[type] = NodeKind(type, function, pure, check)
        return function

    return register


PRELOAD: list[Callable[[], None]] = []  # what a worker loads before it forks, so that its children share the memory
CLOSE: list[Callable[[], Awaitable[None]]] = []  # what an engine closes on its loop when it ends: HTTP sessions
Ask = Callable[["RunContext", str, str, str], Awaitable[str]]
_asking: list[Ask] = []


def answers_questions(function: Ask) -> Ask:
    """Register the function behind `ask`; the agents app does."""
    _asking[:] = [function]
    return function


async def ask(ctx: "RunContext", name: str, agent_id: str, message: str) -> str:
    """An agent's plain answer to one message, as a journalled step of this name: for routers and edge conditions."""
    return await _asking[0](ctx, name, agent_id, message)


CheckArguments = Callable[[str, str, dict[str, Any]], dict[str, Any]]
_checking: list[CheckArguments] = []


def checks_arguments(function: CheckArguments) -> CheckArguments:
    """Register the function behind `check_arguments`; the agents app does."""
    _checking[:] = [function]
    return function


def check_arguments(tenant_id: str, tool_id: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, fit for the tool; Invalid naming what does not fit."""
    return _checking[0](tenant_id, tool_id, arguments)
