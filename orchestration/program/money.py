"""What a run's model calls may cost: reserved before each call, settled after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from governance.budgets.budget_limits import applicable_limits, limits_of
from governance.budgets.reservations import Bill, BudgetExceeded, ReservationRequest
from orchestration.kinds import budget_owners
from orchestration.program.run_info import RunInfo
from orchestration.program.run_writer import RunWriter
from orchestration.program.services import EngineServices


class RunMoney:
    """The budgets and limits that one claimed run comes under."""

    def __init__(self, engine: EngineServices, run: RunInfo, writer: RunWriter) -> None:
        self._engine, self._run, self._writer = engine, run, writer

    @asynccontextmanager
    async def spend(self, calls: int = 1, cost_micro: int = 0, agent_id: str = "") -> AsyncIterator[Bill]:
        """Reserve before a paid call of this agent (`cost_micro` in micro-USD), settle after it.

        Raises BudgetExceeded, with its event, when it would not fit.
        """
        bill = await self._reserve(calls, cost_micro, agent_id)
        try:
            yield bill
        finally:
            self._settle(bill)

    async def check_budget(self, agent_id: str = "") -> None:
        """BudgetExceeded, with its event, when a limit that the run comes under is overspent."""
        if self._run.budget_ids or self._run.has_limits:
            async with self.spend(calls=0, agent_id=agent_id):
                return

    async def _reserve(self, calls: int, cost_micro: int, agent_id: str) -> Bill:
        run = self._run
        limits = await self._engine.shared((run.tenant_id, "limits"), partial(limits_of, run.tenant_id))
        owners = {"user": str(run.created_by or ""), "app": run.app_id, "agent": agent_id} | budget_owners(run)
        limit_ids = applicable_limits(limits, owners)
        request = ReservationRequest(run.tenant_id, run.id, run.budget_ids, limit_ids, cost_micro, calls)
        try:
            bill = await self._engine.reserve(run, request)
        except BudgetExceeded as refusal:
            self._writer.emit("budget_exceeded", refusal.context | {"message": refusal.message})
            raise
        for warning in bill.warnings:
            self._writer.emit("budget_warning", warning)
        return bill

    def _settle(self, bill: Bill) -> None:
        """Have the run's next write say what was spent."""
        entry, amounts = self._writer.entry(), {"micro": bill.cost_micro, "calls": bill.calls}
        if bill.hold_id:
            entry.bills.append({"hold_id": bill.hold_id, "budget_ids": bill.budget_ids, **amounts})
        if bill.calls or bill.cost_micro:
            entry.add("usage", **amounts, prompt=bill.prompt_tokens, completion=bill.completion_tokens)
