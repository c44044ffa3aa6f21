"""R1d to R1f: workers are killed during approved calls, applies of drafts, and calls that nobody may repeat."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

from tests.durability.kill_workers import kill_one
from tests.durability.promises import check_all_completed, check_effects, check_everything, in_flight
from tests.durability.report import Report
from tests.durability.stand import TOOL, Background, Kill, Stand, five_tools, until

MIN_INTERVAL_KILLS_S = (0.8, 2.0)
DELAY_MS = 300
FRAGILE = "durability.fragile"
STAGED = "SELECT run_id::text AS run, step, status FROM orchestration_change WHERE run_id = ANY(%s::uuid[])"
DOUBTED = """
SELECT run_id::text AS run, id::text FROM orchestration_approval WHERE kind = 'in_doubt' AND approved IS NULL
"""


def kill_approved(stand: Stand, dice: random.Random, runs: int, kills: int) -> Report:
    """Each approved call is made once; again only if it was under way as its engine ended, and then under its key."""
    report = Report("R1d", "kill -9 during approved calls: each is made once, and none without its yes")
    rule = {"condition": {}, "effect": "require_approval"}
    made = stand.founder.made("/policies", {"name": "ask", "scope": "tool", "scope_id": TOOL, "rule_expr": rule})
    flow = stand.workflow(*five_tools())
    ids = [stand.founder.start(flow, {"delay_ms": DELAY_MS}) for _ in range(runs)]
    approver = Background(lambda: _approve(stand, ids))
    hits = _kills(stand, dice, kills)
    approver.end()
    assert stand.founder.http.delete(f"/api/v1/policies/{made['id']}").status_code == 204
    report.figures |= {"runs": runs, "kills": kills, "interrupted": sum(len(hit.runs) for hit in hits)}
    check_all_completed(stand, report, ids, hits)
    check_effects(stand, report, ids, hits)
    asked = stand.rows("SELECT count(*) AS n FROM orchestration_approval WHERE run_id = ANY(%s::uuid[])", ids)[0]["n"]
    report.check(asked == runs * 5, f"{asked} approvals were asked for {runs * 5} calls")
    check_everything(stand, report)
    return report


def _kills(stand: Stand, dice: random.Random, kills: int) -> list[Kill]:
    hits = []
    for _ in range(kills):
        time.sleep(dice.uniform(*MIN_INTERVAL_KILLS_S))
        hits.append(kill_one(stand, dice, whole=False))
    return hits


def _approve(stand: Stand, ids: list[str]) -> None:
    """Say yes to whatever is asked until all the runs have ended."""
    boss, end = stand.founder.twin(), time.monotonic() + 120
    while time.monotonic() < end and not _over(stand, ids):
        for asked in boss.get("/approvals?limit=200").json()["data"]:
            boss.post(f"/approvals/{asked['id']}/decide", {"approved": True})
        time.sleep(0.05)


def _over(stand: Stand, ids: list[str]) -> bool:
    return all(state in ("completed", "failed", "cancelled") for state in stand.states(ids).values())


def kill_applies(stand: Stand, dice: random.Random, drafts: int, kills: int) -> Report:
    """Each change lands once, whatever dies in the middle of the apply."""
    report = Report("R1e", "kill -9 while drafts are applied: each change lands once")
    flow = stand.workflow(*five_tools())
    body = {"input": {"delay_ms": DELAY_MS}, "mode": "draft"}
    ids = [stand.founder.made(f"/workflows/{flow}/runs", body)["id"] for _ in range(drafts)]
    check_all_completed(stand, report, ids)
    report.check(not any(stand.effects.of(run) for run in ids), "a draft has acted")
    with ThreadPoolExecutor(drafts) as callers:
        twins = {run: stand.founder.twin() for run in ids}
        for twin in twins.values():
            twin.http.timeout = 90  # type: ignore[assignment]
        answers = {run: callers.submit(twin.post, f"/runs/{run}/apply", {}) for run, twin in twins.items()}
        hits = _kills(stand, dice, kills)
        statuses = [answer.result().status_code for answer in answers.values()]
    report.check(statuses == [200] * drafts, f"the applies answered {sorted(set(statuses))}")
    left = [row for row in stand.rows(STAGED, ids) if row["status"] != "applied"]
    report.none("changes not applied", left)
    calls = {(run, effect.step): [] for run in ids for effect in stand.effects.of(run)}
    for run in ids:
        for effect in stand.effects.of(run):
            calls[run, effect.step].append(effect)
    report.check(len(calls) == drafts * 5, f"{len(calls)} changes had effects, expected {drafts * 5}")
    report.none("foreign keys", [c for at, c in calls.items() if {one.key for one in c} != {":".join(at)}])
    # The engine held the apply, not the draft, so a kill explains whatever was under way.
    moments = [Kill(hit.at, hit.what, hit.pids, set()) for hit in hits]
    again = [(c[n], c[n + 1]) for c in calls.values() for n in range(len(c) - 1)]
    report.none("repeats that no kill explains", [pair for pair in again if not in_flight(*pair, moments)])
    report.figures |= {"drafts": drafts, "kills": kills, "effects": len(calls), "raw repeats": len(again)}
    check_everything(stand, report)
    return report


def kill_doubtful(stand: Stand, dice: random.Random) -> Report:
    """A call that must not be repeated is not, unless a person says so."""
    report = Report("R1f", "kill -9 during a call that is not idempotent: the run asks a person, and guesses nothing")
    config = {"url": f"{stand.effects.url}/effect", "method": "POST"}
    body = {"id": FRAGILE, "name": "Fragile", "handler_type": "http", "handler_config": config, "idempotent": False}
    stand.founder.made("/tools", body | {"side_effects": ["counts"]})
    node = {"id": "once", "type": "tool", "config": {"tool_id": FRAGILE, "input": {"delay_ms": 2500}}}
    flow = stand.workflow(node)
    ids = [stand.founder.start(flow, {}) for _ in range(2)]
    until(lambda: all(stand.effects.of(run) for run in ids), 10, "both calls are under way")
    engines = stand.both_engines()
    stand.kill(list(engines), list(engines.values()), "engines")
    doubts = until(lambda: found if len(found := stand.rows(DOUBTED)) == 2 else [], 40, "two questions")
    asked = {row["run"]: row["id"] for row in doubts}
    report.check(all(len(stand.effects.of(run)) == 1 for run in ids), "a call was repeated without a yes")
    again, never = dice.sample(ids, 2)
    for run, yes in ((again, True), (never, False)):
        until(lambda run=run: stand.states([run])[run] == "paused", 20, "paused")
        answer = stand.founder.post(f"/approvals/{asked[run]}/decide", {"approved": yes})
        report.check(answer.status_code == 200, answer.text)
    states = stand.settled(ids, 30)
    report.check((states[again], states[never]) == ("completed", "cancelled"), f"the runs ended {states}")
    report.figures |= {"calls after a yes": len(stand.effects.of(again)), "after a no": len(stand.effects.of(never))}
    report.check(len(stand.effects.of(again)) == 2 and len(stand.effects.of(never)) == 1, "wrong number of calls")
    check_everything(stand, report)
    return report
