"""The JSON Schemas of the error bodies that config/http/error_bodies.py writes."""

from config.values.json_types import JsonObject

TEXT: JsonObject = {"type": "string"}
ERROR: JsonObject = {
    "type": "object",
    "required": ["statusCode", "errorCode", "message", "context", "timestamp", "path", "traceId"],
    "properties": {
        "statusCode": {"type": "integer"},
        "errorCode": TEXT | {"description": "What a program may decide by."},
        "message": TEXT | {"description": "What a person reads: what is wrong, and what to do."},
        "context": {
            "type": "object",
            "additionalProperties": True,
            "description": "What the error is about; of a VALIDATION_ERROR `errors`: {field: [sentences]}.",
        },
        "timestamp": {"type": "string", "format": "date-time"},
        "path": TEXT,
        "traceId": TEXT,
    },
    "examples": [
        {
            "statusCode": 404,
            "errorCode": "NOT_FOUND",
            "message": "There is no such thing.",
            "context": {"pk": "0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"},
            "timestamp": "2026-01-31T09:30:00.000Z",
            "path": "/api/v1/runs/0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11",
            "traceId": "8d0f5a6e1c2b4f7d9e3a0b1c2d3e4f50",
        }
    ],
}
TEAM_ERROR: JsonObject = {
    "type": "object",
    "required": [*ERROR["required"], "detail"],
    "properties": ERROR["properties"] | {"detail": TEXT | {"description": "The message once more."}},
    "examples": [ERROR["examples"][0] | {"detail": "There is no such thing."}],
}
JOB_ERROR: JsonObject = {
    "type": "object",
    "description": "{detail}, or of an invalid input {field: [sentences]}.",
    "additionalProperties": True,
    "examples": [{"detail": "There is no such thing."}],
}
PROBLEM: JsonObject = {
    "type": "object",
    "required": ["loc", "msg", "type"],
    "properties": {"loc": {"type": "array", "items": TEXT}, "msg": TEXT, "type": TEXT},
}
TASK_ERROR: JsonObject = {
    "type": "object",
    "required": ["detail"],
    "properties": {"detail": {"oneOf": [TEXT, {"type": "array", "items": PROBLEM}]}},
    "examples": [
        {"detail": [{"loc": ["body", "prompt"], "msg": "This field is required.", "type": "value_error.missing"}]}
    ],
}
BY_PATH = (
    ("/api/ai/", "JobError", JOB_ERROR),
    ("/tasks", "TaskError", TASK_ERROR),
    ("/health", "TaskError", TASK_ERROR),
    ("/api/v1/teams", "TeamError", TEAM_ERROR),
    ("/api/v1/executions", "TeamError", TEAM_ERROR),
    ("/api/v1/api-keys", "TeamError", TEAM_ERROR),
)


def error_schema(path: str) -> tuple[str, JsonObject]:
    """(the component's name, its schema) of the façade that the path belongs to."""
    for start, name, schema in BY_PATH:
        if path == start or path.startswith(start.rstrip("/") + "/"):
            return name, schema
    return "Error", ERROR
