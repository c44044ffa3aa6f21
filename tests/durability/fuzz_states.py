"""R9: random starts, cancels, answers and events on many runs; no answer and no log ever tells of a forbidden move."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.durability.promises import CLOCK_S, check_everything
from tests.durability.report import Report
from tests.durability.stand import FINAL, Member, Stand, tool

STEPS = 50
EXAMPLES = 10
CANCEL_S = 5.0
GATE = {"id": "gate", "type": "human_gate", "config": {"message": "May it?"}}
WAIT = {"id": "wait", "type": "wait", "config": {"event": "go"}}
FLOWS = {
    "quick": [tool("first", delay_ms=5)],
    "gated": [GATE, tool("after_gate", delay_ms=5)],
    "waiting": [WAIT, tool("after_wait", delay_ms=5)],
    "both": [tool("first", delay_ms=20), WAIT, GATE, tool("after_gate", delay_ms=20)],
}
# A run's events as moves: where it is, what happens, where it is then. What is not here is forbidden.
MOVES = {
    ("new", "run_started"): "running",
    ("new", "run_cancelled"): "over",
    ("running", "run_paused"): "paused",
    ("running", "run_completed"): "over",
    ("running", "run_failed"): "over",
    ("running", "run_cancelled"): "over",
    ("paused", "approval_decided"): "decided",
    ("paused", "run_cancelled"): "over",
    ("decided", "run_resumed"): "running",
    ("decided", "run_cancelled"): "over",
}
LOG = """
SELECT run_id::text AS run, kind, step, payload, extract(epoch FROM ts)::float8 AS at FROM orchestration_runevent
WHERE run_id = ANY(%s::uuid[]) ORDER BY run_id, seq
"""
SIGNALS = """
SELECT run_id::text AS run, taken_by, count(*) AS number FROM orchestration_signal
WHERE taken_by <> '' GROUP BY 1, 2 HAVING count(*) > 1
"""


@dataclass
class Seen:
    """A run as its clients have seen it so far."""

    id: str
    status: str = "pending"
    final: dict[str, Any] | None = None
    cancelled_at: float | None = None
    log: list[str] = field(default_factory=list)


class Clients(RuleBasedStateMachine):
    """What clients may do, in any order; each answer is held against what was seen before."""

    member: ClassVar[Member]
    flows: ClassVar[dict[str, str]]
    everyone: ClassVar[list[Seen]]
    counts: ClassVar[Counter[str]]
    faults: ClassVar[list[str]]
    runs = Bundle("runs")

    def expect(self, holds: bool, *told: object) -> None:
        """Note what was forbidden; the play goes on, for with real clocks no failure could be played again."""
        if not holds:
            self.faults.append(" ".join(map(str, told)))

    @rule(target=runs, flow=st.sampled_from(sorted(FLOWS)))
    def start(self, flow: str) -> Seen:
        """A new run."""
        self.counts["start"] += 1
        seen = Seen(self.member.start(self.flows[flow], {}))
        self.everyone.append(seen)
        return seen

    @rule(run=runs)
    def look(self, run: Seen) -> None:
        """What the run says of itself."""
        self.counts["look"] += 1
        self._note(run, "look", self.member.get(f"/runs/{run.id}"))

    @rule(run=runs)
    def cancel(self, run: Seen) -> None:
        """A cancel is always taken."""
        self.counts["cancel"] += 1
        answer = self.member.post(f"/runs/{run.id}/cancel", {})
        self.expect(answer.status_code == 200, answer.text, run)
        run.cancelled_at = run.cancelled_at or time.time()
        self._note(run, "cancel", answer)

    @rule(run=runs, approved=st.booleans())
    def resume(self, run: Seen, approved: bool) -> None:
        """Only a paused run takes an answer: a yes makes it go on, a no ends it."""
        self.counts["resume"] += 1
        was_final = run.final is not None
        answer = self.member.post(f"/runs/{run.id}/resume", {"approval_input": {"approved": approved}})
        self.expect(answer.status_code in ((400,) if was_final else (200, 400)), answer.text, run)
        if answer.status_code == 200:
            self.counts["decided"] += 1
            self.expect(answer.json()["status"] == ("running" if approved else "cancelled"), answer.text, run)
            self._note(run, f"resume {approved}", answer)

    @rule(run=runs, name=st.sampled_from(["go", "other"]))
    def send_event(self, run: Seen, name: str) -> None:
        """A run that is over takes no event."""
        self.counts["event"] += 1
        was_final = run.final is not None
        answer = self.member.post(f"/runs/{run.id}/events", {"name": name, "payload": {"n": self.counts["event"]}})
        self.expect(answer.status_code in ((409,) if was_final else (200, 409)), answer.text, run)
        if answer.status_code == 409:
            self._note(run, "refused event", self.member.get(f"/runs/{run.id}"))
            self.expect(run.final is not None, "an event was refused though the run is not over:", run)

    def _note(self, run: Seen, what: str, answer: httpx.Response) -> None:
        """The status may only move forwards, and a final run never changes again."""
        if answer.status_code != 200:
            return self.expect(False, answer.status_code, answer.text, run)
        body = answer.json()
        status = body["status"]
        run.log.append(f"{what}: {status}")
        self.expect(status != "pending" or run.status == "pending", "a run is pending again:", run)
        self.expect(run.final in (None, body), "a final run has changed:", run, body)
        if status in FINAL:
            run.final = body
        run.status = status


def fuzz_states(stand: Stand, operations: int, number: int) -> Report:
    """So many operations without a forbidden answer, and logs without a forbidden move."""
    report = Report("R9b", f"{operations:,} random operations: no illegal transition")
    Clients.member, Clients.everyone, Clients.counts = stand.founder.twin(), [], Counter()
    Clients.faults = []
    Clients.flows = {name: stand.workflow(*nodes) for name, nodes in FLOWS.items()}
    most = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, print_blob=False,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    while _done() < operations:
        number += 1
        run_state_machine_as_test(seed(number)(Clients), settings=most)
    report.none("forbidden answers", Clients.faults)
    report.figures |= {"operations": _done(), **Clients.counts}
    _end_all(stand, report)
    _check_logs(stand, report)
    check_everything(stand, report)
    return report


def _done() -> int:
    return sum(Clients.counts[name] for name in ("start", "look", "cancel", "resume", "event"))


def _end_all(stand: Stand, report: Report) -> None:
    """Whatever still waits is cancelled; what was cancelled before must have been over soon."""
    runs = [run.id for run in Clients.everyone]
    waiting = [run for run, status in stand.states(runs).items() if status not in FINAL]
    for run in waiting:
        stand.founder.post(f"/runs/{run}/cancel", {})
    states = stand.settled(runs, 30)
    report.figures["ended"] = dict(Counter(states.values()))
    report.none("not final", [run for run in runs if states.get(run) not in FINAL])
    report.none("failed", [run for run in runs if states.get(run) == "failed"])


def _check_logs(stand: Stand, report: Report) -> None:
    """Each log is a way through MOVES; what needs a yes or an event came after it; nothing acts after the end."""
    runs = {run.id: run for run in Clients.everyone}
    at = dict.fromkeys(runs, "new")
    forbidden, ends, allowed = [], {}, {}
    for row in stand.rows(LOG, list(runs)):
        run, kind = row["run"], row["kind"]
        if (at[run], kind) in MOVES:
            at[run] = MOVES[at[run], kind]
        elif at[run] != "running" or kind.startswith(("run_", "approval_decided")):
            forbidden.append((run, at[run], kind))
        if at[run] == "over":
            ends[run] = row["at"]
        if kind == "approval_decided" and row["payload"]["approved"]:
            allowed[run] = row["at"]
    report.none("forbidden moves", forbidden)
    late = [run for run, seen in runs.items() if seen.cancelled_at and ends.get(run, 0) > seen.cancelled_at + CANCEL_S]
    report.none("cancels that took longer than 5 s", late)
    report.none("events taken twice", stand.rows(SIGNALS))
    effects = [effect for effect in list(stand.effects.effects) if effect.run_id in runs]
    report.none("effects after the end", [e.key for e in effects if e.arrived > ends.get(e.run_id, 0) + CLOCK_S])
    gated = [effect for effect in effects if effect.step == "after_gate"]
    report.none(
        "effects without a yes", [e.key for e in gated if e.arrived < allowed.get(e.run_id, e.arrived + 1) - CLOCK_S]
    )
    report.none("effects twice", [key for key, n in Counter(e.key for e in effects).items() if n > 1])
