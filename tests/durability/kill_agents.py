"""R1c: workers are killed while agents are in the middle of their loops, ten model calls and nine tool calls each."""

import random
import re
import time
from collections import defaultdict

from tests.durability.kill_workers import kill_one
from tests.durability.promises import CLOCK_S, check_all_completed, check_effects, check_everything
from tests.durability.report import Report
from tests.durability.stand import TOOL, Stand

CALLS = 9
MIN_INTERVAL_KILLS_S = (1.5, 3.0)
FUNCTION = TOOL.replace(".", "_")
LOOPER = "durability.looper"
NUMBER = re.compile(r"number (\d+)\.")
RECORDED = """
SELECT name, extract(epoch FROM finished_at)::float8 AS finished FROM orchestration_step
WHERE run_id = %s::uuid AND type = 'model' AND status = 'completed'
"""


def kill_agents(stand: Stand, dice: random.Random, runs: int, kills: int) -> Report:
    """No model call is made again that was recorded, and no tool acts twice."""
    report = Report("R1c", "kill -9 in the middle of agent loops: nothing recorded is asked or done again")
    stand.both_engines()
    body = {"id": LOOPER, "name": "Looper", "allowed_tools": [TOOL], "instructions": "", "max_turns": CALLS + 1}
    stand.founder.made("/agents", body | {"model_profile": {"provider": "openai", "model": "gpt-4o-mini"}})
    prompt = f'number {{{{ input.n }}}}. <<call*{CALLS}: {FUNCTION} {{"delay_ms": 60}}>> <<delay: 150>> <<say: done>>'
    flow = stand.workflow({"id": "ask", "type": "agent", "config": {"agent_id": LOOPER, "prompt": prompt}})
    before, hits, started = len(stand.model.requests), [], {}
    for number in range(runs):
        started[number] = stand.founder.start(flow, {"n": number})
    for _ in range(kills):
        time.sleep(dice.uniform(*MIN_INTERVAL_KILLS_S))
        hits.append(kill_one(stand, dice, whole=False))
    ids = list(started.values())
    report.figures |= {"runs": runs, "kills": kills, "interrupted": sum(len(hit.runs) for hit in hits)}
    check_all_completed(stand, report, ids, hits)
    check_effects(stand, report, ids, hits, steps=CALLS)
    _check_models(stand, report, started, before)
    check_everything(stand, report)
    return report


def _check_models(stand: Stand, report: Report, started: dict[int, str], before: int) -> None:
    """Each model call came once; again only if its answer was not on record yet."""
    seen: dict[tuple[int, int], list[float]] = defaultdict(list)
    asked = zip(stand.model.requests[before:], stand.model.arrivals[before:], strict=True)
    for request, arrived in asked:
        texts = " ".join(str(message.get("content") or "") for message in request["messages"])
        found = NUMBER.search(texts)
        if found:
            results = sum(message["role"] == "tool" for message in request["messages"])
            seen[int(found[1]), results].append(arrived)
    late = []
    for number, run in started.items():
        for row in stand.rows(RECORDED, run):
            turn = int(row["name"].rpartition("-")[2])
            late += [
                f"{run}:{row['name']}" for arrived in seen[number, turn - 1] if arrived > row["finished"] + CLOCK_S
            ]
    report.figures["model calls"] = sum(len(calls) for calls in seen.values())
    report.figures["asked again in flight"] = sum(len(calls) - 1 for calls in seen.values())
    report.check(len(seen) == len(started) * (CALLS + 1), f"{len(seen)} different model calls were made")
    report.none("asked again after the answer was recorded", late)
