"""R9: a cancel is final, whatever the run is doing, and nothing acts after it."""

import random
import threading
import time
import uuid
from collections.abc import Callable

from tests.durability.promises import CLOCK_S, check_everything
from tests.durability.report import Report, spread
from tests.durability.stand import AGENT, FINAL, Background, Member, Stand, five_tools, tool, until

PENDING_S, RUNNING_S = 2.0, 5.0
LONG_MS = 20_000
EACH = 5
WITHIN_S = (0.01, 0.06, 0.6)  # of a run's start: as it is claimed, as it ends, on its way
CAP = "UPDATE accounts_tenant SET max_running = %s WHERE id = %s RETURNING id"
CANCELLED = """
SELECT run_id::text AS run, extract(epoch FROM ts)::float8 AS at FROM orchestration_runevent
WHERE kind = 'run_cancelled'
"""
GATE = {"id": "gate", "type": "human_gate", "config": {"message": "May it?"}}
WAIT = {"id": "wait", "type": "wait", "config": {"event": "go"}}
STATIC = {"id": "only", "type": "static", "config": {"output": {"done": True}}}
SLEEP = {"id": "sleep", "type": "wait", "config": {"seconds": 600}}
ASK = {"id": "ask", "type": "agent", "config": {"agent_id": AGENT, "prompt": f"<<delay: {LONG_MS}>> $input.mark"}}


def cancel_runs(stand: Stand, dice: random.Random, storm: int) -> Report:
    """In time from every state, and for good."""
    report = Report(
        "R9", f"cancel is final: pending <= {PENDING_S:.0f} s, running <= {RUNNING_S:.0f} s, no effect after"
    )
    stand.both_engines()
    _check_pending(stand, report)
    founder = stand.founder
    slow_tool = _started(stand, founder, [tool("slow"), tool("late")], lambda run: bool(stand.effects.of(run)))
    _check_cancels(stand, report, "in a tool call", founder, slow_tool, RUNNING_S)
    asking = _started(stand, founder, [ASK, tool("late")], lambda run: _is_asked(stand, run), llm_calls_limit=5)
    _check_cancels(stand, report, "in a model call", founder, asking, RUNNING_S)
    for what, node in (("at a gate", GATE), ("in an event's wait", WAIT), ("asleep", SLEEP)):
        waiting = _started(stand, founder, [node, tool("late")], lambda run: _is_put_down(stand, run))
        _check_cancels(stand, report, what, founder, waiting, PENDING_S)
    _storm(stand, report, dice, storm)
    _check_effects(stand, report)
    check_everything(stand, report)
    return report


def _started(
    stand: Stand, member: Member, nodes: list[dict], arrived: Callable[[str], bool], **limits: int
) -> list[str]:
    """Runs that have come to where they are to be cancelled."""
    flow = stand.workflow(*nodes, by=member)
    runs = [member.start(flow, {"delay_ms": LONG_MS, "mark": uuid.uuid4().hex}, **limits) for _ in range(EACH)]
    for run in runs:
        until(lambda run=run: arrived(run), 20, "a run where it is to be cancelled")
    return runs


def _is_put_down(stand: Stand, run: str) -> bool:
    query = "SELECT owner IS NULL AND status <> 'pending' AS is_put_down FROM orchestration_run WHERE id = %s"
    return stand.rows(query, run)[0]["is_put_down"]


def _is_asked(stand: Stand, run: str) -> bool:
    mark = stand.founder.get(f"/runs/{run}").json()["input"]["mark"]
    return any(mark in str(request) for request in list(stand.model.requests))


def _check_pending(stand: Stand, report: Report) -> None:
    """Runs of a tenant that may run none at the time; they stay cancelled when it may."""
    capped = stand.member(f"capped-{uuid.uuid4().hex[:8]}")
    stand.rows(CAP, 0, capped.tenant)
    flow = stand.workflow(STATIC, by=capped)
    runs = [capped.start(flow, {}) for _ in range(EACH)]
    report.check(set(stand.states(runs).values()) == {"pending"}, "the runs of the capped tenant are not pending")
    _check_cancels(stand, report, "pending", capped, runs, PENDING_S)
    stand.rows(CAP, None, capped.tenant)
    after = capped.start(flow, {})
    stand.settled([after], 20)
    report.check(set(stand.states(runs).values()) == {"cancelled"}, "cancelled runs were started later")


def _check_cancels(stand: Stand, report: Report, what: str, member: Member, runs: list[str], most_s: float) -> None:
    """Each is cancelled in time, says so ever after, and takes neither an answer nor an event any more."""
    took = []
    for run in runs:
        began = time.monotonic()
        answer = member.post(f"/runs/{run}/cancel", {})
        report.check(answer.status_code == 200, f"cancel {what} was answered with {answer.status_code}: {answer.text}")
        stand.settled([run], most_s + 5)
        took.append(time.monotonic() - began)
        told = member.get(f"/runs/{run}").json()
        report.check(told["status"] == "cancelled", f"a run cancelled {what} is {told['status']}: {told['result']}")
        report.check(member.post(f"/runs/{run}/cancel", {}).json() == told, "a second cancel has changed the run")
        resumed = member.post(f"/runs/{run}/resume", {"approval_input": {"approved": True}})
        report.check(resumed.status_code == 400, f"resume after cancel was answered with {resumed.status_code}")
        sent = member.post(f"/runs/{run}/events", {"name": "go"})
        report.check(sent.status_code == 409, f"an event after cancel was answered with {sent.status_code}")
    report.figures[f"{what}: p50 / p95 / max s"] = spread(took)
    report.check(max(took) <= most_s, f"a cancel {what} took {max(took):.2f} s")


def _storm(stand: Stand, report: Report, dice: random.Random, number: int) -> None:
    """Runs that are cancelled in the middle of quick calls, or just as they are claimed, or just as they end."""
    flows = [stand.workflow(*five_tools()), stand.workflow(tool("only")), stand.workflow(STATIC)]
    plans = [(dice.choice(flows), dice.randint(0, 40), dice.uniform(0, dice.choice(WITHIN_S))) for _ in range(number)]
    told: dict[str, str] = {}

    def cancel_later(share: list[tuple[str, int, float]]) -> None:
        member = stand.founder.twin()
        for flow, delay_ms, moment in share:
            run = member.start(flow, {"delay_ms": delay_ms})
            threading.Event().wait(moment)
            told[run] = member.post(f"/runs/{run}/cancel", {}).json()["status"]

    for worker in [Background(lambda at=at: cancel_later(plans[at::4])) for at in range(4)]:
        worker.end(300)
    states = stand.settled(list(told), 20)
    report.figures["storm"] = f"{number} cancels, {sum(state == 'cancelled' for state in states.values())} in time"
    report.none("storm: not final", [run for run, state in states.items() if state not in FINAL])
    report.none("storm: failed", [run for run, state in states.items() if state == "failed"])
    changed = [(run, status, states[run]) for run, status in told.items() if status in FINAL and states[run] != status]
    report.none("storm: final states that changed", changed)


def _check_effects(stand: Stand, report: Report) -> None:
    """No call came in after the event that tells of the cancel."""
    cancelled = {row["run"]: row["at"] for row in stand.rows(CANCELLED)}
    late = [
        f"{effect.key} {effect.arrived - cancelled[effect.run_id]:.3f} s after"
        for effect in list(stand.effects.effects)
        if effect.run_id in cancelled and effect.arrived > cancelled[effect.run_id] + CLOCK_S
    ]
    report.none("effects after a cancel", late)
