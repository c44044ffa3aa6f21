"""The workflow of the demo: fetch the open tickets (the input's, else the demo's two) and let the agent triage them."""

from config.values.json_types import JsonObject

TRIAGE_WORKFLOW: JsonObject = {
    "name": "Ticket Triage",
    "version": "1.0.0",
    "type": "graph",
    "description": "Says for each open ticket how urgent it is and what to do next.",
    "definition": {
        "entryNode": "start",
        "nodes": [
            {"id": "start", "type": "static", "config": {"output": {"hotel_id": "$input.hotel_id"}}},
            {"id": "fetch_tickets", "type": "tool", "config": {"tool_id": "ticketing.list_open"}},
            {
                "id": "triage",
                "type": "agent",
                "config": {
                    "agent_id": "agent.ticket_triage",
                    "prompt": "Triage these tickets.",
                    "input": {"tickets": "$steps.fetch_tickets.tickets"},
                },
            },
        ],
        "edges": [{"from": "start", "to": "fetch_tickets"}, {"from": "fetch_tickets", "to": "triage"}],
    },
}
