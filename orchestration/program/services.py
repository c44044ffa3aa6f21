"""What a run's context needs of the engine that drives it; the engine's side is orchestration/engine/services.py."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from governance.budgets.reservations import Bill, ReservationRequest
from orchestration.program.journal_entry import Entry
from orchestration.program.run_info import Inbox, RunInfo
from orchestration.program.text_stream import TextWriter

if TYPE_CHECKING:
    from orchestration.program.waits.children import NewChild


class EngineServices(Protocol):
    """The journal, threads, reads, reservations and messages of one engine, for all the runs that it holds."""

    def write(self, entry: Entry) -> "asyncio.Future[None]":
        """Queue the entry for the journal; the future ends with its commit, by LeaseLost when the run is not ours."""

    def lose(self, run_id: UUID, is_broken: bool = False) -> None:
        """Stop a run whose write was refused. `is_broken`: it is given back as if the engine had died with it."""

    def hands_over(self, run: RunInfo) -> bool:
        """Whether the run goes on in another engine: it has finished a step here, and is no suspect any more."""

    async def confirm_lease(self) -> None:
        """Return once the last heartbeat is younger than a lease, so that a run that a frozen engine lost is not
        driven on.
        """

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a sync function, in a thread for steps."""

    async def database(self, work: Callable[[], Any]) -> Any:
        """The result of the sync `work`, run in a thread where the ORM is fine.

        It is repeated when PostgreSQL goes away, so it must be a read, or keyed by its step.
        """

    async def shared(self, key: tuple[Any, ...], loader: Callable[[], Any]) -> Any:
        """The value of the sync `loader`, shared by callers with the same key at the same time."""

    async def pace(self, user: str) -> None:
        """Return when this user (or tenant, of a run that no user has started) may make one more model call."""

    async def reserve(self, run: RunInfo, request: ReservationRequest) -> Bill:
        """A bill reserved on the run's budgets and limits, once other reservations leave room; BudgetExceeded."""

    async def release(self, run_id: UUID) -> None:
        """Give back what a dead engine had reserved for the run."""

    async def inbox(self, run_id: UUID) -> Inbox:
        """What waits for the run now."""

    async def start_child(self, parent: RunInfo, step: str, child: "NewChild") -> UUID:
        """The id of the child run, inserted once per parent and step."""

    def text_writer(self, run_id: UUID, step: str) -> TextWriter:
        """What publishes each piece of the step's text to those who follow the run."""
