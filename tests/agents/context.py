"""A run's context in memory, for tests of the agent loop: steps are recorded and a second context may replay them."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import orjson

from governance.budgets.reservations import Bill, BudgetExceeded
from governance.policies.rulesets import Ruleset
from orchestration.program.retry import ONCE, Retry, StepFailed, describe, is_final


@dataclass
class MemoryContext:
    """What the loop calls of the engine's RunContext, without a database. `calls_left` is the budget."""

    tenant_id: str = "acme"
    mode: str = "auto"
    recorded: dict[str, Any] = field(default_factory=dict)
    calls_left: int = 1000
    limited: bool = False  # some limit applies
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)  # the contexts that policies judged
    inputs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.writer = SimpleNamespace(entry=lambda: SimpleNamespace(add=self._written))
        self.engine = SimpleNamespace(in_thread=asyncio.to_thread)
        self.run = SimpleNamespace(
            parent_id=None,
            id=uuid.uuid4(),
            tenant_id=self.tenant_id,
            kind="workflow",
            mode=self.mode,
            subject_id="flow",
            created_by=None,
            app_id="",
            app_action_id="",
            on_behalf_of="",
            depth=0,
            budget_ids=[],
            has_limits=False,
            steps={},
        )

    async def step(self, name: str, fn: Callable[..., Any], *args: Any, retry: Retry | None = None, **_: Any) -> Any:
        """What is recorded, else the function's result, tried again as the engine would (without the waiting)."""
        if name in self.recorded:
            return self.recorded[name]
        policy = retry or ONCE
        while True:
            self.tries[name] = self.tries.get(name, 0) + 1
            try:
                self.recorded[name] = json.loads(json.dumps(await fn(*args)))
                return self.recorded[name]
            except BudgetExceeded:
                raise
            except Exception as fault:
                if is_final(fault) or self.tries[name] >= policy.max_attempts:
                    raise StepFailed(name, *describe(fault)) from fault

    def _written(self, table: str, **row: Any) -> None:
        if table == "decisions":
            self.decisions.append(json.loads(orjson.dumps(row["context"])))

    def emit(self, kind: str, payload: dict[str, Any], step: str = "") -> None:
        """Keep the event."""
        self.events.append((kind, payload))

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of the events of this kind."""
        return [payload for name, payload in self.events if name == kind]

    @asynccontextmanager
    async def spend(self, calls: int = 1, cost_micro: int = 0, agent_id: str = "") -> AsyncIterator[Bill]:
        """A bill, as long as there are calls left."""
        if self.calls_left < calls:
            raise BudgetExceeded
        self.calls_left -= calls
        self.bills.append(bill := Bill(uuid.uuid4() if self.limited else None, [], cost_micro, calls))
        yield bill

    async def check_budget(self, agent_id: str = "") -> None:
        """Refused like a call when the budget is overspent."""
        if self.calls_left < 0:
            raise BudgetExceeded

    def show_input(self, name: str, input: Any) -> None:
        """Keep the input that a step is really done with."""
        self.inputs[name] = input

    async def pace(self) -> None:
        """Never too many."""

    async def gather(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """All results in order."""
        return list(await asyncio.gather(*coroutines))

    async def database(self, work: Callable[[], Any]) -> Any:
        """What the work gives."""
        return work()

    def text_writer(self, step: str) -> Callable[[str], None]:
        """Keeps the pieces in `texts`."""
        return self.texts.setdefault(step, []).append

    async def shared(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """What the loader gives; there are no memories here, no policies, and no keys but the operator's."""
        if key[1] == "rules":
            return Ruleset("", ()), "developer"
        return None if key[1] in ("has memories", "provider key") else loader()
