"""What holds for every run after whatever was done to the product: looked up in its tables and in the effects' log."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tests.durability.effects import Effect
from tests.durability.report import Report
from tests.durability.stand import LEASE_S, Kill, Stand

RECORD_S = 1.0  # an answer that came in is on record after so long, whatever the load
THAW_S = 0.25  # what a frozen engine was about to send is sent within so long after its thaw
CLOCK_S = 0.25  # how late the effect server may note a call that was made before

GAPS = """
SELECT run_id::text AS run, count(*) AS events, min(seq) AS first, max(seq) AS last FROM orchestration_runevent
GROUP BY run_id HAVING min(seq) <> 1 OR max(seq) <> count(*)
"""
ENDS = """
SELECT r.id::text AS run, r.status, r.finished_at, e.kind AS last, ends.number AS ends
FROM orchestration_run r
LEFT JOIN LATERAL (SELECT kind FROM orchestration_runevent WHERE run_id = r.id AND kind <> 'effect_applied'
    ORDER BY seq DESC LIMIT 1) e ON true
CROSS JOIN LATERAL (SELECT count(*) AS number FROM orchestration_runevent
    WHERE run_id = r.id AND kind IN ('run_completed', 'run_failed', 'run_cancelled')) ends
WHERE NOT CASE
    WHEN r.status IN ('completed', 'failed', 'cancelled')
        THEN coalesce(e.kind, '') = 'run_' || r.status AND ends.number = 1 AND r.finished_at IS NOT NULL
            AND r.owner IS NULL AND r.due_at IS NULL
    WHEN r.status = 'paused' THEN coalesce(e.kind, '') = 'run_paused'
    WHEN r.status = 'pending' THEN e.kind IS NULL
    ELSE ends.number = 0 AND coalesce(e.kind, '') <> 'run_paused' END
"""
TWICE = """
SELECT run_id::text AS run, step, count(*) AS completions FROM orchestration_runevent
WHERE kind = 'step_completed' GROUP BY run_id, step HAVING count(*) > 1
"""
UNTOLD = """
SELECT s.run_id::text AS run, s.name AS step, e.payload -> 'output' AS told, s.output FROM orchestration_step s
LEFT JOIN orchestration_runevent e ON e.run_id = s.run_id AND e.kind = 'step_completed' AND e.step = s.name
WHERE s.type = 'tool' AND s.name NOT LIKE '%/%' AND s.status = 'completed'
    AND e.payload -> 'output' IS DISTINCT FROM s.output::jsonb
"""
ORPHANS = """
SELECT r.id::text AS run, r.status, r.owner FROM orchestration_run r WHERE r.owner IS NOT NULL AND NOT EXISTS (
    SELECT FROM orchestration_engine e WHERE e.owner = r.owner AND e.lease_until > now())
"""
HOLDS = """
SELECT h.run_id::text AS run, h.calls, h.micro, r.status
FROM governance_hold h JOIN orchestration_run r ON r.id = h.run_id
"""
HELD = "SELECT scope_id AS run, held_calls, held_micro FROM governance_budget WHERE held_calls <> 0 OR held_micro <> 0"
OVERSPENT = "SELECT scope_id AS run, spent_calls, calls_limit FROM governance_budget WHERE spent_calls > calls_limit"
OUTCOME = """
SELECT id::text, status, result, failure_reason, attempt, deaths FROM orchestration_run WHERE id = ANY(%s::uuid[])
"""
STRANDED = """
SELECT id::text AS run, status, attempt, deaths, due_at, owner FROM orchestration_run
WHERE status IN ('pending', 'running') AND updated_at < now() - %s * interval '1 second'
"""
STEPS = """
SELECT run_id::text AS run, name, status, output, extract(epoch FROM started_at)::float8 AS started,
    extract(epoch FROM finished_at)::float8 AS finished
FROM orchestration_step WHERE type = 'tool' AND run_id = ANY(%s::uuid[])
"""


def check_everything(stand: Stand, report: Report) -> None:
    """What must be true of all runs that this product has ever had, now that it is left in peace."""
    end = time.monotonic() + LEASE_S + 3
    while (stand.rows(ORPHANS) or stand.rows(HOLDS)) and time.monotonic() < end:
        time.sleep(0.2)
    report.none("gaps in events", stand.rows(GAPS))
    report.none("ends that do not fit", stand.rows(ENDS))
    report.none("steps completed twice", stand.rows(TWICE))
    report.none("steps told otherwise", stand.rows(UNTOLD))
    report.none("runs of dead engines", stand.rows(ORPHANS))
    report.none("holds left", stand.rows(HOLDS) + stand.rows(HELD))
    report.none("budgets overspent", stand.rows(OVERSPENT))


def check_all_completed(
    stand: Stand, report: Report, runs: list[str], kills: Sequence[Kill] = (), patience_s: float = 60
) -> None:
    """Every accepted run came to its end, and well."""
    states = stand.settled(runs, patience_s)
    report.figures["completed"] = f"{sum(state == 'completed' for state in states.values())}/{len(runs)}"
    bad = stand.rows(OUTCOME, [run for run in runs if states.get(run) != "completed"])
    report.none("not completed", [row | {"kills": [k.at for k in kills if row["id"] in k.runs]} for row in bad])
    report.none("lost", [run for run in runs if run not in states])


def check_effects(
    stand: Stand, report: Report, runs: list[str], kills: list[Kill], steps: int = 5, thaws: Sequence[float] = ()
) -> None:
    """Each step's effect came once; again only if it was under way as its engine ended, and then under the same key.

    What was on its way out of an engine as it was frozen leaves it as it thaws.
    """
    wanted = set(runs)
    seen: dict[tuple[str, str], list[Effect]] = defaultdict(list)
    for effect in list(stand.effects.effects):
        if effect.run_id in wanted:
            seen[effect.run_id, effect.step].append(effect)
    recorded = {(row["run"], row["name"]): row for row in stand.rows(STEPS, runs)}
    report.figures["effects"] = len({effect.key for calls in seen.values() for effect in calls})
    report.check(len(seen) == len(runs) * steps, f"{len(seen)} steps had effects, expected {len(runs) * steps}")
    report.none("foreign keys", [calls for at, calls in seen.items() if {c.key for c in calls} != {":".join(at)}])
    late = [_redone(calls, recorded.get(at), thaws) for at, calls in seen.items()]
    report.none("redone after done", [told for told in late if told])
    again = [(calls, number) for calls in seen.values() for number in range(len(calls) - 1)]
    report.figures["raw repeats"] = len(again)
    report.none(
        "repeats that no kill explains", [c[n : n + 2] for c, n in again if not in_flight(c[n], c[n + 1], kills)]
    )
    report.none("steps recording another's answer", _foreign_answers(recorded, seen))


def _redone(calls: list[Effect], row: dict[str, Any] | None, thaws: Sequence[float]) -> str:
    """A call that came after its step was on record."""
    if row is None or row["status"] != "completed":
        return f"no record of {calls[0].key}"
    late = [
        call
        for call in calls
        if call.arrived > row["finished"] + CLOCK_S and not any(abs(call.arrived - at) < THAW_S for at in thaws)
    ]
    return f"{late[0].key} came {late[0].arrived - row['finished']:.3f} s after it was recorded" if late else ""


def in_flight(call: Effect, after: Effect, kills: list[Kill]) -> bool:
    """True when the engine that made the call ended before it could record the answer."""
    done = (call.answered or call.arrived) + RECORD_S
    return any(
        call.arrived <= kill.at + CLOCK_S and kill.at <= done and after.arrived > kill.at
        for kill in kills
        if not kill.runs or call.run_id in kill.runs
    )


def _foreign_answers(
    recorded: dict[tuple[str, str], dict[str, Any]], seen: dict[tuple[str, str], list[Effect]]
) -> list[tuple[str, str]]:
    """Steps whose recorded answer is none that one of their own calls got."""
    own = {at: {call.number for call in calls} for at, calls in seen.items()}
    return [
        at
        for at, row in recorded.items()
        if row["status"] == "completed" and row["output"]["call"] not in own.get(at, ())
    ]


def resumed_after(stand: Stand, kills: list[Kill]) -> list[float]:
    """For each run that a kill interrupted: the seconds until its next step was begun."""
    runs = sorted({run for kill in kills for run in kill.runs})
    begun: dict[str, list[float]] = defaultdict(list)
    for row in stand.rows(STEPS, runs):
        begun[row["run"]].append(row["started"])
    waits = []
    for kill in kills:
        for run in kill.runs:
            at = min((start for start in begun[run] if start > kill.at), default=None)
            hit_again = any(run in other.runs and kill.at < other.at < (at or 0) for other in kills)
            if at is not None and not hit_again:
                waits.append(at - kill.at)
    return waits


def duplicates(stand: Stand, runs: list[str]) -> dict[str, int]:
    """The keys that came more than once, of these runs."""
    wanted = set(runs)
    counted = Counter(effect.key for effect in list(stand.effects.effects) if effect.run_id in wanted)
    return {key: number for key, number in counted.items() if number > 1}
