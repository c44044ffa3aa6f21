"""Where the apps above, and plug-ins, register what the engine runs, so that the engine imports none of them.

`@program("workflow")` registers the async function that drives a run of that kind, and declares what the product does
differently for it; `@node("agent")` registers the function behind a node type.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from config.plugins.registries import registry
from config.values.json_schema import schema_problems
from config.values.json_types import JsonObject
from orchestration.kinds import KINDS, BudgetOwners, RunKind

if TYPE_CHECKING:
    from orchestration.program.context import RunContext

Program = Callable[["RunContext"], Awaitable[Any]]

PROGRAMS: dict[str, Program] = {}


def program(
    kind: str,
    *,
    per_user: int | Callable[[], int] | None = None,
    private: bool = False,
    internal: bool = False,
    subject: str = "",
    budget_owners: BudgetOwners | None = None,
    public: bool = False,
    input_schema: JsonObject | None = None,
) -> Callable[[Program], Program]:
    """Register the program of a kind of run; RunKind says what the options mean."""
    run_kind = RunKind(kind, per_user, private, internal, subject, budget_owners, public, input_schema)

    def register(function: Program) -> Program:
        PROGRAMS[kind], KINDS[kind] = function, run_kind
        return function

    return register


# ---- node types of workflows


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
NodeCheck = Callable[[JsonObject, str], list[str]]


@dataclass(frozen=True)
class NodeKind:
    """A node type: what it does, and how a definition's config for it is checked.

    `pure`: it only computes, so that doing it twice changes nothing. `check`: (config, tenant_id) → sentences about
    what is wrong, as a definition is saved. `schema`: the JSON Schema of its config, checked as a definition is saved
    and again with the references filled in. `takes_input`: its config's input, else the run's, is NodeCall.input.
    `waits`: it waits for something by steps of its own, so that its retries and timeout are recorded too.
    """

    type: str
    run: NodeFunction
    pure: bool = False
    check: NodeCheck | None = None
    schema: JsonObject | None = None
    takes_input: bool = False
    waits: bool = False


def check_node_kind(kind: NodeKind) -> list[str]:
    """What is wrong with a node type that a plug-in brings."""
    return schema_problems(kind.schema) if kind.schema is not None else []


NODES: dict[str, NodeKind] = registry("node types", check_node_kind)


def node(
    type: str,
    *,
    pure: bool = False,
    check: NodeCheck | None = None,
    schema: JsonObject | None = None,
    takes_input: bool = False,
    waits: bool = False,
) -> Callable[[NodeFunction], NodeFunction]:
    """Register a node type; NodeKind says what the options mean."""

    def register(function: NodeFunction) -> NodeFunction:
        NODES[type] = NodeKind(type, function, pure, check, schema, takes_input, waits)
        return function

    return register


# ---- hooks

PRELOAD: list[Callable[[], None]] = []  # what a worker loads before it forks, so that its children share the memory
CLOSE: list[Callable[[], Awaitable[None]]] = []  # what an engine closes on its loop when it ends: HTTP sessions
Ask = Callable[["RunContext", str, str, str], Awaitable[str]]
_ask: list[Ask] = []


def answers_questions(function: Ask) -> Ask:
    """Register the function behind `ask`; the agents app does."""
    _ask[:] = [function]
    return function


async def ask(ctx: "RunContext", name: str, agent_id: str, message: str) -> str:
    """An agent's plain answer to one message, as a journalled step of this name: for routers and edge conditions."""
    return await _ask[0](ctx, name, agent_id, message)


CheckArguments = Callable[[str, str, JsonObject], JsonObject]
_check_arguments: list[CheckArguments] = []


def checks_arguments(function: CheckArguments) -> CheckArguments:
    """Register the function behind `check_arguments`; the agents app does."""
    _check_arguments[:] = [function]
    return function


def check_arguments(tenant_id: str, tool_id: str, arguments: JsonObject) -> JsonObject:
    """The arguments, fit for the tool; Invalid naming what does not fit."""
    return _check_arguments[0](tenant_id, tool_id, arguments)
