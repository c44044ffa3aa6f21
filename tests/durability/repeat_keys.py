"""R6: many clients send the same request under the same Idempotency-Key at the same moment."""

import threading
import uuid
from collections import Counter

import httpx

from tests.durability.promises import check_everything
from tests.durability.report import Report
from tests.durability.stand import Background, Member, Stand, tool

PATIENCE_S = 60


def repeat_keys(stand: Stand, keys: int, clients: int) -> Report:
    """One run per key, and one answer that is not a replay."""
    report = Report("R6", f"{clients} concurrent identical POSTs x {keys} keys: one run each")
    other = stand.member(f"other-{uuid.uuid4().hex[:8]}")
    members = [stand.founder.twin() for _ in range(clients)]
    flow, all_keys, statuses = stand.workflow(tool("only")), [], Counter()
    for _ in range(keys):
        key = uuid.uuid4().hex
        answers = _at_once(members, flow, key)
        statuses += Counter(answer.status_code for answer in answers)
        all_keys.append(key)
        _check_one_key(report, answers, key)
    report.figures |= {"POSTs": keys * clients, "answers": dict(statuses)}
    _check_others(stand, report, other, flow, all_keys)
    _check_rows(stand, report, all_keys)
    check_everything(stand, report)
    return report


def _at_once(members: list[Member], flow: str, key: str) -> list[httpx.Response]:
    """The answers to one request that all of them send at the same moment."""
    gate, answers = threading.Barrier(len(members)), []

    def ask(member: Member) -> None:
        gate.wait(30)
        body = {"input": {"delay_ms": 0}, "mode": "auto"}
        answers.append(member.post(f"/workflows/{flow}/runs", body, Idempotency_Key=key))

    for worker in [Background(lambda member=member: ask(member)) for member in members]:
        worker.end()
    return answers


def _check_one_key(report: Report, answers: list[httpx.Response], key: str) -> None:
    statuses = {answer.status_code for answer in answers}
    report.check(statuses == {201}, f"key {key} was answered with {statuses}: {answers[0].text[:200]}")
    bodies = [answer.json() for answer in answers if answer.status_code == 201]
    ids = {body["id"] for body in bodies}
    report.check(len(ids) == 1, f"key {key} has made {len(ids)} runs")
    report.check(len({str(sorted(body)) for body in bodies}) == 1, f"the answers to key {key} differ in shape")
    first = [answer for answer in answers if "Idempotency-Replayed" not in answer.headers]
    report.check(len(first) == 1, f"{len(first)} answers to key {key} are not marked as replays")


def _check_others(stand: Stand, report: Report, other: Member, flow: str, keys: list[str]) -> None:
    """Another tenant's run is its own, another body under the same key is refused, another flow is another request."""
    theirs = stand.workflow({"id": "only", "type": "static", "config": {"output": {"done": True}}}, by=other)
    for key in keys:
        own = other.post(f"/workflows/{theirs}/runs", {"input": {}, "mode": "auto"}, Idempotency_Key=key)
        report.check(own.status_code == 201, f"another tenant's same key was answered with {own.status_code}")
        report.check("Idempotency-Replayed" not in own.headers, "another tenant got a replay")
        body = {"input": {"delay_ms": 1}, "mode": "auto"}
        clash = stand.founder.post(f"/workflows/{flow}/runs", body, Idempotency_Key=key)
        report.check(clash.status_code == 409, f"the same key with another body was answered with {clash.status_code}")
        report.check(clash.json().get("errorCode") == "IDEMPOTENCY_CONFLICT", f"the 409 says {clash.text[:200]}")


def _check_rows(stand: Stand, report: Report, keys: list[str]) -> None:
    counted = """
    SELECT idempotency_key AS key, tenant_id, count(*) AS runs, min(id::text) AS run FROM orchestration_run
    WHERE idempotency_key = ANY(%s) GROUP BY 1, 2
    """
    rows = stand.rows(counted, keys)
    report.figures["runs"] = sum(row["runs"] for row in rows)
    report.check(len(rows) == 2 * len(keys), f"{len(rows)} runs of two tenants have the {len(keys)} keys")
    report.none("keys with several runs", [row for row in rows if row["runs"] != 1])
    ours = [row["run"] for row in rows if row["tenant_id"] == stand.founder.tenant]
    states = stand.settled(ours, PATIENCE_S)
    report.none("not completed", [run for run in ours if states.get(run) != "completed"])
    report.none("runs with other than one effect", [run for run in ours if len(stand.effects.of(run)) != 1])
