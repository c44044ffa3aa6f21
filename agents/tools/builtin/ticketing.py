"""ticketing.list_open: the tickets of the demo."""

from agents.tools.registry import ToolCall, tool
from config.values.json_types import JsonObject

CLOSED_STATUSES = frozenset({"closed", "resolved", "done", "cancelled", "fechado", "resolvido"})
DEMO_TICKETS = (
    {"id": "T-1", "subject": "Water is leaking from the ceiling of room 204", "status": "open", "guest": "Ana Souza"},
    {"id": "T-2", "subject": "The invoice shows one night too many", "status": "open", "guest": "Jonas Weber"},
)
SCHEMA = {
    "type": "object",
    "properties": {
        "tickets": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Your own tickets {id, subject, status}; without them two demo tickets are listed.",
        }
    },
}


@tool("ticketing.list_open", "List Open Tickets", "Lists the tickets that are open.", SCHEMA)
async def list_open(call: ToolCall) -> JsonObject:
    """{tickets, count}: those of the call that are not closed, else the demo's."""
    tickets = call.input.get("tickets", DEMO_TICKETS)
    tickets = [ticket for ticket in tickets if str(ticket.get("status", "open")).lower() not in CLOSED_STATUSES]
    return {"tickets": tickets, "count": len(tickets)}
