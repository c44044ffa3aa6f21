"""What the offline model says in jobs: by fixed rules over the evidence, and it says so."""

import json
import re
from typing import Any

SIGNED = "(offline model)"
LINE = re.compile(r"^(E\d+): (.+)$", re.MULTILINE)
SENSOR = re.compile(r"sensor (\S+): (rising|falling|stable|unknown)")
ALERT = re.compile(r"^The alert: (\{.*\})$", re.MULTILINE)
EVENT = "in the window before: "
COUNTED = re.compile(rf"^{EVENT}\d+ × (.+)$")
SEVERITIES = frozenset({"low", "medium", "high", "critical"})


def root_cause(asked: str) -> str:
    """Two or three hypotheses as JSON: the trend, earlier repairs or alerts, the sensor itself."""
    found = ALERT.search(asked)
    alert: dict[str, Any] = json.loads(found[1]) if found else {}
    lines = dict(LINE.findall(asked))
    what = str(alert.get("parameter_key") or "The measured value")
    severity = str(alert.get("severity") or "").lower()
    severity = severity if severity in SEVERITIES else "medium"
    ours = any(line.startswith(EVENT) for line in lines.values())  # an alert about the work that is done here
    guesses = (_events(lines), _trend(what, lines), _repeated(lines), _sensor(what, lines, ours))
    made = [guess for guess in guesses if guess]
    hypotheses = [{"id": f"H{number}", "severity": severity} | guess for number, guess in enumerate(made[:3], start=1)]
    asset = alert.get("asset_tag") or ("the failing runs" if ours else "the equipment")
    second = "Read the events of one of them" if ours else f"Compare {what} with a second instrument"
    return json.dumps(
        {
            "hypotheses": hypotheses,
            "immediate_actions": [f"Inspect {asset}", second],
            "recommended_work_order": {
                "title": f"Inspect {asset}: {what} out of range",
                "type": "CM",
                "priority": "HIGH" if severity in ("high", "critical") else "MEDIUM",
                "estimated_duration_hours": 2,
                "parts_potentially_needed": [],
            },
            "notes": f"Found by fixed rules, without a language model {SIGNED}.",
        },
        ensure_ascii=False,
    )


def _events(lines: dict[str, str]) -> dict[str, Any] | None:
    """The most frequent of the counted failures."""
    for name, line in lines.items():
        if counted := COUNTED.match(line):
            return {
                "title": f"One cause behind most of it: {counted[1]}",
                "confidence": 0.6,
                "evidence": [f"{name}: {line}"],
                "recommendation": "Look at what these runs have in common: definition, tools, limits.",
            }
    return None


def _trend(what: str, lines: dict[str, str]) -> dict[str, Any] | None:
    for name, line in lines.items():
        sensor = SENSOR.match(line)
        if sensor and sensor[2] in ("rising", "falling"):
            return {
                "title": f"{what} is {sensor[2]}: a gradual change of the load, or wear",
                "confidence": 0.6,
                "evidence": [f"{name}: {line}"],
                "recommendation": "Check load and operating point, then the wearing parts.",
            }
    return None


def _repeated(lines: dict[str, str]) -> dict[str, Any] | None:
    before = [f"{name}: {line}" for name, line in lines.items() if line.startswith(("work order", "another alert"))]
    if not before:
        return None
    return {
        "title": "An earlier fault that was not cured",
        "confidence": 0.4,
        "evidence": before[:3],
        "recommendation": "Compare with what was done then.",
    }


def _sensor(what: str, lines: dict[str, str], ours: bool) -> dict[str, Any]:
    name, line = next(iter(lines.items()), ("E1", "nothing is known"))
    title = "A threshold" if ours else "A faulty sensor, or a threshold"
    return {
        "title": f"{title} that does not fit {what}",
        "confidence": 0.2,
        "evidence": [f"{name}: {line}"],
        "recommendation": "Review the threshold." if ours else "Calibrate the sensor and review the threshold.",
    }


def predictive(asked: str) -> str:
    """Score and drivers in a sentence."""
    told = json.loads(asked)
    risk, asset = told["risk"], told["asset"]
    lines: dict[str, str] = told["evidence"]
    drivers = [f"{driver['description']}: {driver['points']} points" for driver in risk["drivers"]]
    reasons = "; ".join(f"{line} ({name})" for name, line in lines.items() if line in drivers)
    name = asset.get("tag") or asset["id"]
    why = reasons or "nothing speaks for a failure"
    return f"The risk that {name} fails is {risk['level']}, {risk['score']} of 100 (E1): {why}. {SIGNED}"


ANSWERS = {"root_cause": root_cause, "predictive": predictive}
