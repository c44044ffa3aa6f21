"""root_cause and predictive: numbers by code, words by a model that must fit the schema and cite its evidence."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agents.jobs.analysis.alert_facts import AlertInput, alert_facts
from agents.jobs.analysis.readings import number, statistics, trend
from agents.jobs.analysis.readings import readings as read
from agents.jobs.analysis.risk_assessment import RiskInput, assess_risk
from agents.jobs.plugins.predictive import Input as PredictiveInput
from agents.jobs.plugins.root_cause import Input as RootCauseInput
from governance.models import BudgetLimit
from observability.models import Alert
from tests.agents.test_run_job import finish
from tests.factories import log_in, make_user, token_of
from tests.front import Front
from tests.model_server import ModelServer
from tests.observability.rules import check, make_rule, overrun, run_that

if TYPE_CHECKING:
    from accounts.models import Tenant

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HYPOTHESIS = {
    "id": "H1",
    "title": "Clogged condenser",
    "confidence": 0.8,
    "evidence": ["E1: the temperature rises"],
    "severity": "high",
    "recommendation": "Clean it",
}
ANSWER: dict[str, Any] = {
    "hypotheses": [HYPOTHESIS, HYPOTHESIS | {"id": "H2", "title": "Low refrigerant", "evidence": ["pressure falls"]}],
    "immediate_actions": ["Reduce the load"],
    "recommended_work_order": {
        "title": "Clean CH-01", "type": "PM", "priority": "HIGH", "estimated_duration_hours": 2,
        "parts_potentially_needed": ["filter"],
    },
    "notes": None,
}  # fmt: skip
ALERT = {
    "id": 123, "asset_id": 7, "asset_tag": "CH-01", "severity": "high", "parameter_key": "temperature",
    "current_value": 92.5, "threshold_value": 80, "unit": "C", "triggered_at": NOW.isoformat(),
}  # fmt: skip


@pytest.fixture
def token(acme: "Tenant") -> str:
    """A plain member's token."""
    return token_of(make_user(acme))


def ago(**delta: float) -> str:
    """So long before NOW."""
    return (NOW - timedelta(**delta)).isoformat()


def readings(*values: float, sensor: str = "t-1", parameter: str = "temperature", **more: Any) -> list[dict[str, Any]]:
    """One a minute, the last one a minute before NOW."""
    count = len(values)
    return [
        {"sensor_id": sensor, "parameter_key": parameter, "value": value, "timestamp": ago(minutes=count - at), **more}
        for at, value in enumerate(values)
    ]


def alert_input(**input: Any) -> AlertInput:
    """root_cause's checked input."""
    serializer = RootCauseInput(data={"alert_id": 123, "alert": ALERT, **input})
    serializer.is_valid(raise_exception=True)
    return AlertInput(**serializer.validated_data)


def ask(front: Front, token: str, *answers: Any) -> dict[str, Any]:
    """A root_cause job whose model answers this, and then that when it is asked again."""
    texts = [answer if isinstance(answer, str) else json.dumps(answer) for answer in answers]
    marks = " ".join(f"<<{mark}: {text}>>" for mark, text in zip(("say", "then"), texts, strict=False))
    alert = ALERT | {"description": f"Too hot {marks}"}
    input = {"alert_id": 123, "alert": alert, "readings": readings(70, 75, 80, 92)}
    return finish(front, token, "root_cause", input=input)


@pytest.mark.parametrize(
    ("values", "word"),
    [([], "unknown"), ([1], "unknown"), ([100, 105], "stable"), ([100, 106], "rising"), ([100, 94], "falling")]
    + [([-100, -106], "falling"), ([0, 0], "stable"), ([0, 1], "rising")],
)
def test_a_trend_is_a_change_of_more_than_five_percent_of_the_first(values: list[float], word: str) -> None:
    assert trend(values) == word


def test_statistics_leave_out_what_is_no_number() -> None:
    rows = readings(1, 2) + [{"sensor_id": "t-1", "value": "n/a"}, {"sensor_id": "t-1"}, {"value": float("nan")}]
    result = statistics(read(rows))
    assert result == {"min": 1, "max": 2, "avg": 1.5, "trend": "rising", "last_value": 2, "readings_count": 2}
    assert [number(value) for value in (True, "1.5", "x", None, [1])] == [None, 1.5, None, None, None]


def test_facts_keep_the_window_the_asset_and_the_limits() -> None:
    rows = readings(70, 92) + readings(5, 5, sensor="p-1", parameter="pressure")
    rows += [{"sensor_id": "t-1", "parameter_key": "temperature", "value": 1, "timestamp": ago(hours=3)}]
    rows += readings(1000, sensor="t-9", asset_id=8)
    orders = [{"id": n, "asset_id": 7, "created_at": ago(days=n)} for n in range(1, 14)]
    others = [{"id": 5, "triggered_at": ago(minutes=30)}, {"id": 6, "triggered_at": ago(hours=2)}, ALERT]
    facts = alert_facts(alert_input(readings=rows, work_orders=orders, alerts=others))
    assert (facts.telemetry["sensor"], facts.telemetry["min"], facts.telemetry["trend"]) == (
        "t-1",
        70,
        "rising",
    )
    assert [one["sensor"] for one in facts.related_sensors] == ["p-1"]
    assert [order["id"] for order in facts.work_orders] == list(range(1, 11))
    assert [alert["id"] for alert in facts.alerts] == [5]


@pytest.mark.usefixtures("gateway", "engine")
class TestWithModel:
    """Jobs whose model is scripted."""

    def test_the_models_hypotheses_are_told_with_the_evidence_that_they_cite(self, front: Front, token: str) -> None:
        job = ask(front, token, ANSWER)
        out = job["output_data"]
        assert [one["title"] for one in out["hypotheses"]] == ["Clogged condenser", "Low refrigerant"]
        assert [(one["cites"], one["supported"]) for one in out["hypotheses"]] == [(["E1"], True), ([], False)]
        assert "rising over 4 readings" in out["evidence"]["E1"]
        assert out["schema_version"] == "1.0" and out["recommended_work_order"]["type"] == "CM"
        assert out["tokens_used"] == job["tokens_used"] > 0

    def test_a_model_that_cites_nothing_or_what_was_not_given_is_asked_again(
        self, front: Front, token: str, gateway: ModelServer
    ) -> None:
        unknown = ANSWER | {"hypotheses": [HYPOTHESIS | {"evidence": ["E77: leaks"]}, ANSWER["hypotheses"][1]]}
        out = ask(front, token, unknown)["output_data"]
        assert [one["supported"] for one in out["hypotheses"]] == [False, False]
        *_, first, again = gateway.requests
        assert len(again["messages"]) == len(first["messages"]) + 2
        problems = again["messages"][-1]["content"]
        assert "H1 cites E77, which was not given" in problems and "H2 names none of the evidence E1 to E" in problems

    def test_a_model_that_then_cites_is_believed(self, front: Front, token: str, gateway: ModelServer) -> None:
        bare = ANSWER | {"hypotheses": [HYPOTHESIS | {"evidence": ["it is hot"]}]}
        better = ANSWER | {"hypotheses": [HYPOTHESIS]}
        out = ask(front, token, bare, better)["output_data"]
        assert [one["cites"] for one in out["hypotheses"]] == [["E1"]]

    def test_an_answer_is_not_lost_to_a_second_one_that_is_rubbish(self, front: Front, token: str) -> None:
        bare = ANSWER | {"hypotheses": [HYPOTHESIS | {"evidence": ["it is hot"]}]}
        job = ask(front, token, bare, "I do not know.")
        assert job["status"] == "succeeded" and job["output_data"]["hypotheses"][0]["supported"] is False

    def test_an_answer_is_not_lost_to_a_second_call_that_is_refused(
        self, front: Front, token: str, acme: "Tenant"
    ) -> None:
        limit = {"scope": "tenant", "scope_id": "", "period": "day", "calls_limit": 1}
        BudgetLimit.all_tenants.create(tenant=acme, **limit)
        job = ask(front, token, ANSWER | {"hypotheses": [HYPOTHESIS | {"evidence": ["it is hot"]}]})
        assert job["status"] == "succeeded" and job["output_data"]["hypotheses"][0]["supported"] is False

    def test_the_name_of_a_fault_is_no_citation_that_was_invented(
        self, front: Front, token: str, gateway: ModelServer
    ) -> None:
        hypothesis = HYPOTHESIS | {"evidence": ["E1: error E47 again"]}
        alert = ALERT | {"description": f"<<say: {json.dumps(ANSWER | {'hypotheses': [hypothesis]})}>>"}
        orders = [{"id": 1, "asset_id": 7, "title": "Error E47"}]
        input = {"alert_id": 123, "alert": alert, "readings": readings(70, 92), "work_orders": orders}
        out = finish(front, token, "root_cause", input=input)["output_data"]
        assert out["hypotheses"][0]["cites"] == ["E1"] and len(gateway.requests) == 1

    def test_the_summary_of_a_risk_cites_too(self, front: Front, token: str, gateway: ModelServer) -> None:
        asset = {"id": 7, "tag": "CH-01", "name": "<<say: It is fine.>>"}
        out = finish(front, token, "predictive", input={"asset_id": 7, "asset": asset})["output_data"]
        assert out["cites"] == [] and "The summary names none" in gateway.requests[-1]["messages"][-1]["content"]
        asset["name"] = "<<say: Nothing speaks for a failure (E1).>>"
        out = finish(front, token, "predictive", input={"asset_id": 7, "asset": asset})["output_data"]
        assert out["cites"] == ["E1"] and out["evidence"]["E1"] == "the risk score is 0 of 100, minimal"

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ("I do not know.", "not valid JSON"),
            (ANSWER | {"hypotheses": [HYPOTHESIS | {"confidence": 3}]}, "confidence"),
            (ANSWER | {"hypotheses": [HYPOTHESIS | {"evidence": []}]}, "evidence"),
        ],
    )
    def test_rubbish_fails_the_job_and_says_why(self, front: Front, token: str, answer: Any, reason: str) -> None:
        job = ask(front, token, answer)
        assert job["status"] == "failed" and reason in job["error_message"] and job["output_data"] is None

    def test_an_alert_of_ours_is_analysed_with_the_events_around_it(self, front: Front, acme: "Tenant") -> None:
        client = log_in(make_user(acme, "developer"))
        failed = [run_that("failed", acme) for _ in range(2)]
        run_that("failed", acme, created_at=timezone.now() - timedelta(hours=3))
        overrun(acme)
        make_rule(client, "error_rate", 0.5)
        [alert] = check(client)
        Alert.all_tenants.update(message=f"Too many <<say: {json.dumps(ANSWER)}>>")  # the scripted model's answer
        by_id = finish(front, token_of(make_user(acme, "admin")), "root_cause", input={"alert_id": alert["id"]})
        assert by_id["output_data"]["alert"]["id"] == alert["id"], by_id["error_message"]
        input = {"alert_id": alert["number"], "window_minutes": 60}
        out = finish(front, token_of(make_user(acme, "developer")), "root_cause", input=input)["output_data"]
        assert out["alert"]["id"] == 1 and out["alert"]["parameter_key"] == "error_rate"
        assert (out["alert"]["current_value"], out["alert"]["threshold_value"]) == (1.0, 0.5)
        assert out["telemetry"]["last_value"] == 1.0 and out["telemetry"]["sensor"] == "error_rate"
        lines = " | ".join(out["evidence"].values())
        assert "3 failed" in lines and "2 × workflow w1 failed, error" in lines and str(failed[1].pk) in lines
        assert "The pump is dry." in lines and "budget exceeded by run" in lines

    def test_only_who_may_see_alerts_may_have_them_analysed(self, front: Front, acme: "Tenant", token: str) -> None:
        run_that("failed", acme)
        client = log_in(make_user(acme, "developer"))
        make_rule(client, "error_rate", 0.5)
        [alert] = check(client)
        job = finish(front, token, "root_cause", input={"alert_id": alert["id"]})
        assert job["status"] == "failed" and "not found" in job["error_message"]

    def test_an_alert_that_nobody_knows_fails_the_job(self, front: Front, token: str) -> None:
        job = finish(front, token, "root_cause", input={"alert_id": 9})
        assert job["status"] == "failed" and "input.alert" in job["error_message"]

    def test_predictive_stands_without_the_models_words(self, front: Front, token: str) -> None:
        asset = {"id": 7, "tag": "CH-01", "name": "<<status: 400>>"}
        job = finish(front, token, "predictive", input={"asset_id": 7, "asset": asset})
        assert job["status"] == "succeeded" and job["output_data"]["llm_summary"] is None
        assert job["output_data"]["risk"] == {"score": 0, "level": "minimal", "drivers": []}


@pytest.mark.usefixtures("offline", "engine")
def test_the_offline_model_does_both_by_rules_and_says_so(front: Front, token: str) -> None:
    input = {"alert_id": 123, "alert": ALERT, "readings": readings(70, 92), "work_orders": [{"id": 1, "asset_id": 7}]}
    out = finish(front, token, "root_cause", input=input)["output_data"]
    assert len(out["hypotheses"]) == 3 and all(one["cites"] for one in out["hypotheses"])
    assert "offline" in out["notes"]
    out = finish(front, token, "predictive", input={"asset_id": 7})["output_data"]
    assert "offline" in out["llm_summary"] and out["cites"] == ["E1"]


def assess(input: dict[str, Any]) -> dict[str, Any]:
    """The assessment of the asset 7, as of NOW."""
    serializer = PredictiveInput(data={"asset_id": 7, **input})
    serializer.is_valid(raise_exception=True)
    return assess_risk(RiskInput(**serializer.validated_data), NOW)


def risk(**input: Any) -> tuple[int, str]:
    """(score, level) as of NOW."""
    risk = assess({"asset": {"tag": "CH-01"}, **input})["risk"]
    return risk["score"], risk["level"]


def alerts(count: int, severity: str = "high", resolved: bool = True, **age: float) -> list[dict[str, Any]]:
    """So many, two hours old unless `age` says otherwise."""
    at = ago(**(age or {"hours": 2}))
    return [{"asset_id": 7, "severity": severity, "triggered_at": at, "resolved": resolved} for _ in range(count)]


def corrective(count: int, **age: float) -> list[dict[str, Any]]:
    """Corrective work orders."""
    return [{"asset_id": 7, "type": "CORRECTIVE", "created_at": ago(**(age or {"days": 10}))} for _ in range(count)]


@pytest.mark.parametrize(
    ("expected", "input"),
    [
        ((0, "minimal"), {}),
        ((15, "minimal"), {"alerts": alerts(1)}),
        ((40, "low"), {"alerts": alerts(4)}),
        ((10, "minimal"), {"alerts": alerts(2, days=3)}),
        ((20, "minimal"), {"alerts": alerts(9, days=3)}),
        ((0, "minimal"), {"alerts": alerts(2, days=8)}),
        ((25, "minimal"), {"alerts": alerts(1, "critical", days=3)}),
        ((60, "medium"), {"alerts": alerts(1, "critical", False) + alerts(1, "high", False)}),
        ((85, "high"), {"alerts": alerts(4, "critical", False)}),
        ((10, "minimal"), {"readings": readings(*[10] * 9, 20)}),
        ((0, "minimal"), {"readings": readings(*[10] * 9, 11)}),
        ((24, "minimal"), {"work_orders": corrective(3)}),
        ((25, "minimal"), {"work_orders": corrective(4)}),
        ((0, "minimal"), {"work_orders": corrective(4, days=91)}),
        ((100, "high"), {"alerts": alerts(4, "critical", False), "work_orders": corrective(4)}),
        ((0, "minimal"), {"alerts": [alerts(1)[0] | {"asset_id": 8}]}),
    ],
)
def test_the_score_adds_up(expected: tuple[int, str], input: dict[str, Any]) -> None:
    assert risk(**input) == expected


def test_a_work_order_is_proposed_from_sixty(gateway: ModelServer) -> None:
    order = assess({"alerts": alerts(1, "critical", False) + alerts(1, "high", False)})["recommended_work_order"]
    assert order["should_create"] is True and order["type"] == "PREDICTIVE" and "60" in order["title"]


@pytest.mark.usefixtures("gateway", "engine")
def test_what_an_agent_finds_is_held_against_its_type(
    front: Front, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.jobs.analysis.risk_assessment.LEVELS", ((0, "extreme"),))
    job = finish(front, token, "predictive", input={"asset_id": 7})
    assert job["status"] == "failed" and "does not fit its schema" in job["error_message"]
