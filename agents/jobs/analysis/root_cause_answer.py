"""The answer that root_cause asks of the model: its JSON Schema, the prompt, and the check of its citations."""

from agents.jobs.analysis.alert_facts import AlertFacts
from agents.jobs.analysis.evidence import Evidence
from agents.loop.answers import coerce_answer
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject

TEXTS: JsonObject = {"type": "array", "items": {"type": "string"}}
HYPOTHESIS: JsonObject = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "title": {"type": "string", "minLength": 1},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "evidence": TEXTS | {"minItems": 1},
        "severity": {"type": "string"},
        "recommendation": {"type": "string"},
    },
    "required": ["id", "title", "confidence", "evidence", "severity", "recommendation"],
}
WORK_ORDER: JsonObject = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "type": {"type": "string"},
        "priority": {"type": "string"},
        "estimated_duration_hours": {"type": "number", "minimum": 0},
        "parts_potentially_needed": TEXTS,
    },
    "required": ["title", "priority", "estimated_duration_hours", "parts_potentially_needed"],
}
ANSWER: JsonObject = {
    "type": "object",
    "properties": {
        "hypotheses": {"type": "array", "items": HYPOTHESIS, "minItems": 1, "maxItems": 5},
        "immediate_actions": TEXTS,
        "recommended_work_order": WORK_ORDER,
        "notes": {"type": ["string", "null"]},
    },
    "required": ["hypotheses", "immediate_actions", "recommended_work_order"],
}


def prompt(facts: AlertFacts, evidence: Evidence) -> str:
    """The alert as JSON, its description as it is written, and the evidence."""
    alert = {name: value for name, value in facts.alert.items() if name != "description" and value is not None}
    parts = [f"The alert: {write_json(alert, default=str).decode()}"]
    if description := facts.alert.get("description"):
        parts.append(f"Its description:\n{description}")
    parts.append("The evidence:\n" + "\n".join(f"{name}: {line}" for name, line in evidence.lines.items()))
    return "\n\n".join(parts)


def citation_problems(evidence: Evidence, text: str) -> list[str]:
    """Sentences about the hypotheses of this answer that cite no evidence, or evidence that does not exist."""
    return [
        problem
        for hypothesis in coerce_answer(ANSWER, text)[0]["hypotheses"]
        for problem in evidence.citation_problems(f"The hypothesis {hypothesis['id']}", hypothesis["evidence"])
    ]


def with_citations(hypothesis: JsonObject, evidence: Evidence) -> JsonObject:
    """The hypothesis with `cites`, the names of the evidence that it cites, and `supported`: whether there are any."""
    names = evidence.cited_names(hypothesis["evidence"])
    return hypothesis | {"cites": names, "supported": bool(names)}
