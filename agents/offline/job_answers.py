"""The answers of the offline model in jobs: by fixed rules over the numbered evidence of the prompt."""

import json
import re

from agents.offline.texts import SIGNATURE
from config.values.json_types import JsonObject

LINE = re.compile(r"^(E\d+): (.+)$", re.MULTILINE)
SENSOR = re.compile(r"sensor (\S+): (rising|falling|stable|unknown)")
ALERT = re.compile(r"^The alert: (\{.*\})$", re.MULTILINE)
EVENT = "in the window before: "
FAILURE_COUNT = re.compile(rf"^{EVENT}\d+ × (.+)$")
MAX_HYPOTHESES = 3  # the prompt asks for two or three
SEVERITIES = frozenset({"low", "medium", "high", "critical"})


def root_cause(prompt: str) -> str:
    """Two or three hypotheses as JSON: the trend, earlier repairs or alerts, the sensor itself."""
    match = ALERT.search(prompt)
    alert: JsonObject = json.loads(match[1]) if match else {}
    lines = dict(LINE.findall(prompt))
    parameter = str(alert.get("parameter_key") or "The measured value")
    severity = str(alert.get("severity") or "").lower()
    severity = severity if severity in SEVERITIES else "medium"
    is_own = any(line.startswith(EVENT) for line in lines.values())  # an alert about runs, not about equipment
    guesses = (_events(lines), _trend(parameter, lines), _repetition(lines), _sensor(parameter, lines, is_own))
    hypotheses = [guess for guess in guesses if guess][:MAX_HYPOTHESES]
    asset = alert.get("asset_tag") or ("the failing runs" if is_own else "the equipment")
    second = "Read the events of one of them" if is_own else f"Compare {parameter} with a second instrument"
    return json.dumps(
        {
            "hypotheses": [
                {"id": f"H{number}", "severity": severity} | guess for number, guess in enumerate(hypotheses, start=1)
            ],
            "immediate_actions": [f"Inspect {asset}", second],
            "recommended_work_order": {
                "title": f"Inspect {asset}: {parameter} out of range",
                "type": "CM",
                "priority": "HIGH" if severity in ("high", "critical") else "MEDIUM",
                "estimated_duration_hours": 2,
                "parts_potentially_needed": [],
            },
            "notes": f"Found by fixed rules, without a language model {SIGNATURE}.",
        },
        ensure_ascii=False,
    )


def _events(lines: dict[str, str]) -> JsonObject | None:
    """The most frequent of the counted failures."""
    for name, line in lines.items():
        if match := FAILURE_COUNT.match(line):
            return {
                "title": f"One cause behind most of it: {match[1]}",
                "confidence": 0.6,
                "evidence": [f"{name}: {line}"],
                "recommendation": "Look at what these runs have in common: definition, tools, limits.",
            }
    return None


def _trend(parameter: str, lines: dict[str, str]) -> JsonObject | None:
    for name, line in lines.items():
        sensor = SENSOR.match(line)
        if sensor and sensor[2] in ("rising", "falling"):
            return {
                "title": f"{parameter} is {sensor[2]}: a gradual change of the load, or wear",
                "confidence": 0.6,
                "evidence": [f"{name}: {line}"],
                "recommendation": "Check load and operating point, then the wearing parts.",
            }
    return None


def _repetition(lines: dict[str, str]) -> JsonObject | None:
    before = [f"{name}: {line}" for name, line in lines.items() if line.startswith(("work order", "another alert"))]
    if not before:
        return None
    return {
        "title": "An earlier fault that was not cured",
        "confidence": 0.4,
        "evidence": before[:3],
        "recommendation": "Compare with what was done then.",
    }


def _sensor(parameter: str, lines: dict[str, str], is_own: bool) -> JsonObject:
    name, line = next(iter(lines.items()), ("E1", "nothing is known"))
    title = "A threshold" if is_own else "A faulty sensor, or a threshold"
    return {
        "title": f"{title} that does not fit {parameter}",
        "confidence": 0.2,
        "evidence": [f"{name}: {line}"],
        "recommendation": "Review the threshold." if is_own else "Calibrate the sensor and review the threshold.",
    }


def predictive(prompt: str) -> str:
    """Score and drivers in a sentence."""
    assessment = json.loads(prompt)
    risk, asset = assessment["risk"], assessment["asset"]
    lines: dict[str, str] = assessment["evidence"]
    drivers = [f"{driver['description']}: {driver['points']} points" for driver in risk["drivers"]]
    reasons = "; ".join(f"{line} ({name})" for name, line in lines.items() if line in drivers)
    name = asset.get("tag") or asset["id"]
    score = f"{risk['level']}, {risk['score']} of 100 (E1)"
    return f"The risk that {name} fails is {score}: {reasons or 'nothing speaks for a failure'}. {SIGNATURE}"


ANSWERS = {"root_cause": root_cause, "predictive": predictive}
