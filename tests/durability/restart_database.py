"""R4: PostgreSQL is ended at once (SIGQUIT: no checkpoint, sessions cut) again and again, under load."""

import os
import random
import signal
import time
import xmlrpc.client

import psutil
import psycopg

from tests.durability.load import Load
from tests.durability.lose_broker import Stream, follow
from tests.durability.promises import STRANDED, check_all_completed, check_effects, check_everything
from tests.durability.report import Report, spread
from tests.durability.stand import AGENT, Background, Kill, Stand, five_tools, until

HANG_S = 5.0
BACK_S = 5.0
STRANDED_S = 60
DOWN_S = 60.0
STREAMS = 4
QUICK_MS = (0, 120)  # so that at every moment some step is about to begin
AWAY_S = (0.0, 0.0, 1.5, 4.0)  # it comes back at once, or stays away for a while
PROGRAMS = ("web", "worker", "scheduler")


def restart_database(stand: Stand, dice: random.Random, restarts: int, apart_s: tuple[float, float]) -> Report:
    """Nothing is lost, nobody hangs, nobody has to be started again."""
    report = Report("R4", f"PostgreSQL restarted {restarts} times with SIGQUIT under load")
    stand.both_engines()
    family, load, limited = stand.family(*PROGRAMS), Load(stand, dice, clients=5, delay_ms=QUICK_MS), _limited(stand)
    streams = [Stream(_long(stand, restarts * apart_s[0])) for _ in range(STREAMS)]
    watching = [Background(lambda one=one: follow(stand.founder.twin(), one, 300)) for one in streams]
    quits, downs = [], []
    for _ in range(restarts):
        time.sleep(dice.uniform(*apart_s))
        quits.append(Kill(time.time(), "postgres", []))
        downs.append(_restart(stand, dice.choice(AWAY_S)))
    time.sleep(BACK_S)
    runs = load.end() + limited
    away = [up - quit.at for quit, up in zip(quits, downs, strict=True)]
    report.figures |= {"runs": len(runs), "away p50 / p95 / max s": spread(away)}
    _check_answers(report, load, quits, downs)
    _check_family(stand, report, family)
    check_all_completed(stand, report, runs, patience_s=STRANDED_S)
    for watcher in watching:
        watcher.end(120)
    report.none("streams that did not see the end", [one for one in streams if one.ended_with != "completed"])
    report.none("stranded", stand.rows(STRANDED, STRANDED_S))
    check_effects(stand, report, [run for run in runs if run not in limited], quits)
    check_everything(stand, report)
    return report


def _limited(stand: Stand) -> list[str]:
    """Runs that reserve on a budget before each of their model calls, which PostgreSQL has to be there for."""
    ask = {"type": "agent", "config": {"agent_id": AGENT, "prompt": "<<delay: 900>> Say it."}}
    flow = stand.workflow(*({"id": f"ask{number}"} | ask for number in range(1, 9)))
    return [stand.founder.start(flow, {}, llm_calls_limit=50, cost_limit_cents=1000) for _ in range(6)]


def _long(stand: Stand, seconds: float) -> str:
    """The id of a run that takes at least so long."""
    return stand.founder.start(stand.workflow(*five_tools()), {"delay_ms": min(seconds / 5, 20) * 1000})


def _restart(stand: Stand, away_s: float) -> float:
    """When PostgreSQL answers again after it was ended; the supervisor starts it, at once or when it is told to."""
    old = stand.pid("postgres")
    if away_s:
        stand.supervise("stopProcess", "servers:postgres", False)
    os.kill(old, signal.SIGQUIT)
    if away_s:
        time.sleep(away_s)
        until(lambda: not psutil.pid_exists(old), 20, "the end of PostgreSQL")
        until(lambda: _started(stand), 20, "the start of PostgreSQL")
    until(lambda: stand.pid("postgres") != old and _answers(stand), DOWN_S, "PostgreSQL")
    return time.time()


def _started(stand: Stand) -> bool:
    try:
        return bool(stand.supervise("startProcess", "servers:postgres", False))
    except xmlrpc.client.Fault:  # the supervisor has not buried the old one yet
        return False


def _answers(stand: Stand) -> bool:
    try:
        psycopg.connect(stand.database).close()
    except psycopg.OperationalError:
        return False
    return True


def _check_answers(report: Report, load: Load, quits: list[Kill], ups: list[float]) -> None:
    """A POST is answered with 2xx or 503 in time; soon after PostgreSQL is back with 2xx."""
    odd = [answer for answer in load.answers if answer.status != 201 and answer.status != 503]
    report.figures |= {"POSTs": len(load.answers), "503": sum(answer.status == 503 for answer in load.answers)}
    report.none("neither 2xx nor 503", odd)
    report.none("answers later than 5 s", [answer for answer in load.answers if answer.took > HANG_S])
    report.figures["slowest answer s"] = round(max(answer.took for answer in load.answers), 2)
    report.none("runs not accepted", range(load.given_up))
    good = sorted(answer.at + answer.took for answer in load.answers if answer.status == 201)
    back = [min((at for at in good if at > up), default=up + DOWN_S) - up for up in ups]
    report.figures["201 after it is back p50 / p95 / max s"] = spread(back)
    report.check(max(back) <= BACK_S, f"the API needed {max(back):.2f} s after PostgreSQL was back")


def _check_family(stand: Stand, report: Report, before: dict[int, str]) -> None:
    """The same processes as before."""
    now = stand.family(*PROGRAMS)
    report.none("processes that ended", [f"{name} {pid}" for pid, name in before.items() if pid not in now])
