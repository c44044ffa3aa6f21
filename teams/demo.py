"""The team of the demo: one agent triages the open tickets, the other answers what the staff asks."""

from agents.catalog.demo_agents import CONCIERGE, TRIAGE_AGENT
from config.values.json_types import JsonObject

ROUND: JsonObject = {
    "name": "Morning Round",
    "description": "Reads the open tickets, then answers a question about the house.",
    "agent_ids": [TRIAGE_AGENT["key"], CONCIERGE["key"]],
    "workflow_definition": {
        "type": "sequential",
        "agents": [
            {
                "agent_id": TRIAGE_AGENT["key"],
                "role": "leader",
                "execution_order": 1,
                "input": {"source": "initial_prompt"},
            },
            {
                "agent_id": CONCIERGE["key"],
                "role": "member",
                "execution_order": 2,
                "input": {"source": "initial_prompt"},
            },
        ],
    },
}
