"""The node types as documents describe them: what a node does, the JSON Schema of its config, an example.

The OpenAPI document types `definition` by these, and docs/guide/workflows.md lists them. They describe what
configs.py checks (RULINGS §6); tests/orchestration/test_describe_nodes.py holds the two together.
"""

from dataclasses import dataclass, field
from typing import Any

from orchestration.workflows.definition.configs import (
    IN_A_MAP,
    MAX_EVENT_LENGTH,
    MAX_PARALLEL,
    MAX_ROUTES,
    ROLES,
    YEAR_S,
)

Schema = dict[str, Any]


@dataclass(frozen=True)
class NodeSchema:
    """One node type. `example` is a config that the parser accepts when the nodes and ids that it names exist."""

    summary: str
    properties: dict[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    example: dict[str, Any] = field(default_factory=dict)

    def config(self) -> Schema:
        """The JSON Schema of the config; other keys are allowed and ignored."""
        schema: Schema = {"type": "object", "properties": self.properties, "example": self.example}
        return schema | ({"required": list(self.required)} if self.required else {})


ANY_VALUE = "Any JSON value; references in it are filled in."
DURATION = {"type": "number", "exclusiveMinimum": 0, "maximum": YEAR_S}
ROUTE: Schema = {
    "type": "object",
    "required": ["id", "target_node"],
    "properties": {
        "id": {"type": "string", "description": "Unique in the node; what the router agent answers."},
        "target_node": {"type": "string", "description": "The id of the node that the run goes on with."},
        "condition": {"type": "string", "nullable": True, "description": "An expression; the first true route wins."},
        "description": {"type": "string", "description": "What the router agent reads about the route."},
    },
}
OUTPUT: Schema = {"description": f"The node's output. {ANY_VALUE}"}
AGENT_INPUT: Schema = {
    "description": f"What the agent works on, placed below the prompt; without it the run's input. {ANY_VALUE}"
}

NODE_SCHEMAS: dict[str, NodeSchema] = {
    "static": NodeSchema(
        "Answers a fixed value.",
        {"output": OUTPUT},
        (),
        {"output": {"greeting": "Hello, $input.guest.name"}},
    ),
    "transform": NodeSchema(
        "Answers a value built from the input and from earlier steps.",
        {"output": OUTPUT},
        ("output",),
        {"output": {"room": "$input.room", "urgent": "$steps.triage.urgent"}},
    ),
    "agent": NodeSchema(
        "Asks an agent, which may call its tools; answers the JSON object of its answer, or {text, toolCalls, "
        "finishReason}.",
        {
            "agent_id": {"type": "string", "maxLength": 255, "description": "A built-in agent or one of the tenant."},
            "prompt": {"type": "string", "description": "The message; `{{ … }}` templates and references are filled."},
            "input": AGENT_INPUT,
            "output_schema": {"type": "object", "description": "A JSON Schema that the answer must fit."},
        },
        ("agent_id",),
        {"agent_id": "agent.triage", "prompt": "Triage this ticket: {{ input.ticket.text }}"},
    ),
    "tool": NodeSchema(
        "Calls a tool; answers its output.",
        {
            "tool_id": {"type": "string", "maxLength": 255, "description": "A built-in tool or one of the tenant."},
            "input": {
                "oneOf": [{"type": "object"}, {"type": "string", "pattern": "^\\$"}],
                "description": "The tool's arguments, or a reference to them; without it the run's input.",
            },
        },
        ("tool_id",),
        {"tool_id": "memory.search", "input": {"query": "$input.question"}},
    ),
    "router": NodeSchema(
        "Chooses one route: the first whose condition is true, else the one that the router agent names, else the "
        "first. Answers {route, target_node, decided_by}.",
        {
            "routes": {"type": "array", "maxItems": MAX_ROUTES, "items": ROUTE},
            "router_agent_id": {
                "type": "string",
                "maxLength": 255,
                "description": "The agent that chooses where no condition decides (default: agent.router).",
            },
        },
        (),
        {
            "routes": [
                {"id": "urgent", "target_node": "call_technician", "condition": "output.urgent == true"},
                {"id": "normal", "target_node": "reply", "description": "Everything that can wait."},
            ]
        },
    ),
    "human_gate": NodeSchema(
        "Pauses the run until a person approves; a rejection ends it. Answers the decision.",
        {
            "message": {"type": "string", "description": "The question that the person reads."},
            "role": {"type": "string", "enum": list(ROLES), "description": "Who may decide (default: developer)."},
            "expires_s": DURATION | {"description": "Seconds until the question expires and the run fails."},
        },
        (),
        {"message": "Refund $input.amount to $input.guest.name?", "role": "admin", "expires_s": 86400},
    ),
    "parallel": NodeSchema(
        "Runs the branches that begin at its edges at the same time; they meet at the next node that all of them "
        "reach. Answers {branches}.",
        {"branches": {"type": "array", "items": {"type": "string"}, "description": "Node ids, beside the edges'."}},
        (),
        {"branches": ["check_stock", "check_price"]},
    ),
    "map": NodeSchema(
        "Runs one node for each item of a list, several at a time; answers the list of their outputs in order.",
        {
            "items": {
                "oneOf": [{"type": "array"}, {"type": "string"}],
                "description": "A list, or a reference to one such as $input.words.",
            },
            "node": {
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": {"type": "string", "enum": list(IN_A_MAP)},
                    "config": {"type": "object", "description": "The inner node's config; $item is the item."},
                },
            },
            "max_parallel": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_PARALLEL,
                "description": "Items worked on at a time (default: 10).",
            },
        },
        ("items", "node"),
        {"items": "$input.words", "node": {"type": "transform", "config": {"output": "<$item>"}}, "max_parallel": 5},
    ),
    "wait": NodeSchema(
        "Waits for a time or for an event sent to the run; answers {waited_s} or the event's payload.",
        {
            "seconds": {
                "oneOf": [{"type": "number", "minimum": 0, "maximum": YEAR_S}, {"type": "string", "pattern": "^\\$"}],
                "description": "Seconds to wait, or a reference to them. Either seconds or event is given.",
            },
            "event": {"type": "string", "maxLength": MAX_EVENT_LENGTH, "description": "The name of the event."},
            "timeout_s": DURATION | {"description": "Seconds until waiting for the event fails."},
        },
        (),
        {"event": "payment_received", "timeout_s": 3600},
    ),
    "subworkflow": NodeSchema(
        "Runs another workflow as a child run, in the version current when it starts; answers its result.",
        {
            "workflow_id": {"type": "string", "maxLength": 64, "description": "A workflow of the tenant."},
            "input": {"description": f"The child's input; without it the run's input. {ANY_VALUE}"},
        },
        ("workflow_id",),
        {"workflow_id": "5f0c2a52-6a35-4d1e-9b0e-7a1f4f6f2c11", "input": {"ticket": "$input.ticket"}},
    ),
}
# Fields of each node beside `id`, `type` and `config`.
NODE_FIELDS: dict[str, Schema] = {
    "retry": {
        "type": "object",
        "nullable": True,
        "required": ["max_attempts"],
        "properties": {
            "max_attempts": {"type": "integer", "minimum": 1, "maximum": 20, "description": "Attempts in all."},
            "backoff_s": {
                "type": "number",
                "minimum": 0,
                "maximum": 3600,
                "description": "Seconds before the second attempt (default: 1), doubled before each later one.",
            },
        },
        "description": "How often a failed step is attempted again.",
    },
    "timeout_s": DURATION | {"nullable": True, "description": "Seconds that one attempt may take."},
    "on_error": {
        "oneOf": [
            {"type": "string", "enum": ["fail", "continue"]},
            {"type": "object", "required": ["goto"], "properties": {"goto": {"type": "string"}}},
        ],
        "description": "fail ends the run (default); continue takes the edges with {error, error_type} as output; "
        "{goto: node} goes on there.",
    },
}
EDGE: Schema = {
    "type": "object",
    "required": ["from", "to"],
    "properties": {
        "from": {"type": "string", "description": "The node that the edge leaves."},
        "to": {"type": "string", "description": "The node that it leads to."},
        "condition": {
            "type": "string",
            "nullable": True,
            "description": "An expression, or a question in plain words that an agent answers; without one the edge is "
            "taken when no other is.",
        },
    },
}
