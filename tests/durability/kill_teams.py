"""R1g: workers are killed while teams are at work: an execution goes on after the last agent that had finished."""

import random
import time
from collections import Counter

from tests.durability.kill_workers import kill_one
from tests.durability.promises import check_all_completed, check_everything
from tests.durability.report import Report
from tests.durability.stand import Stand

AGENTS = 5
MIN_INTERVAL_KILLS_S = (1.0, 2.0)
TOLD = """
SELECT run_id::text AS run, kind, payload ->> 'agent_id' AS agent FROM orchestration_runevent
WHERE run_id = ANY(%s::uuid[]) AND kind IN ('agent_started', 'agent_completed') ORDER BY run_id, seq
"""
CHILDREN = """
SELECT parent_id::text AS run, count(*) AS number FROM orchestration_run
WHERE parent_id = ANY(%s::uuid[]) GROUP BY parent_id
"""


def kill_teams(stand: Stand, dice: random.Random, executions: int, kills: int) -> Report:
    """Each agent begins once and ends once, in its turn, and the team comes to its end."""
    report = Report("R1g", "kill -9 while teams work: each agent's work begins once, ends once, in its turn")
    stand.both_engines()
    ids = [f"durability.member-{number}" for number in range(1, AGENTS + 1)]
    for id in ids:
        stand.founder.made("/agents", {"id": id, "name": id, "instructions": "<<delay: 300>> <<say: done>>"})
    members = [{"agent_id": id, "execution_order": at, "input": _source(ids, at)} for at, id in enumerate(ids, start=1)]
    body = {"name": "T", "agent_ids": ids, "workflow_definition": {"type": "pipeline", "agents": members}}
    team = stand.founder.post("/teams", body).json()["team_id"]
    started = [_start(stand, team) for _ in range(executions)]
    hits = []
    for _ in range(kills):
        time.sleep(dice.uniform(*MIN_INTERVAL_KILLS_S))
        hits.append(kill_one(stand, dice, whole=False))
    report.figures |= {"executions": executions, "kills": kills}
    report.figures["interrupted"] = sum(len(hit.runs) for hit in hits)
    check_all_completed(stand, report, started, hits)
    _check_agents(stand, report, started, ids)
    check_everything(stand, report)
    return report


def _source(ids: list[str], at: int) -> dict[str, str]:
    return {"source": "initial_prompt"} if at == 1 else {"source": "agent_result", "agent_id": ids[at - 2]}


def _start(stand: Stand, team: str) -> str:
    answer = stand.founder.post(f"/teams/{team}/execute", {"initial_prompt": "Go."})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["execution_id"])


def _check_agents(stand: Stand, report: Report, started: list[str], ids: list[str]) -> None:
    wanted = [(kind, id) for id in ids for kind in ("agent_started", "agent_completed")]
    told: dict[str, list[tuple[str, str]]] = {run: [] for run in started}
    for row in stand.rows(TOLD, started):
        told[row["run"]].append((row["kind"], row["agent"]))
    report.none("agents out of turn, or twice", [run for run, events in told.items() if events != wanted])
    children = Counter({row["run"]: row["number"] for row in stand.rows(CHILDREN, started)})
    report.none("more runs than agents", [run for run in started if children[run] != len(ids)])
