"""What the offline model does with plain requests, end to end, in two languages."""

from typing import TYPE_CHECKING

import pytest

from memory.datastore.tables import load_table
from tests.factories import make_agent, make_user, token_of
from tests.front import Front, frames

if TYPE_CHECKING:
    from accounts.models import Tenant

pytestmark = pytest.mark.usefixtures("offline", "engine")
TOOLS = [
    "memory.store", "memory.search", "files.write", "files.read", "files.list", "ticketing.list_open",
    "natural_language_db_read",
]  # fmt: skip


@pytest.fixture
def converse(front: Front, acme: "Tenant") -> object:
    """Say something to an agent with all these tools; it answers (text, ids of the tools called)."""
    make_agent(acme, allowed_tools=TOOLS)
    token = token_of(make_user(acme))

    def converse_with(message: str) -> tuple[str, list[str]]:
        body = {"message": message, "context": {"mode": "auto"}}
        events = frames(front.post("/api/v1/agents/agent.helper/conversation", token, body))
        return events[-1]["result"], [frame["toolCall"]["toolId"] for frame in events if frame["type"] == "tool_call"]

    return converse_with


@pytest.mark.parametrize(
    "remember,ask,words",
    [
        (
            "Remember that the pool opens at nine.",
            "What do you know about the opening hours of the pool?",
            "opens at nine",
        ),
        ("Lembre que o café é servido às sete.", "O que você sabe sobre o café?", "servido às sete"),
    ],
)
def test_it_remembers_and_recalls(converse: object, remember: str, ask: str, words: str) -> None:
    assert converse(remember)[1] == ["memory.store"]
    text, tools = converse(ask)
    assert words in text and tools == ["memory.search"]


def test_it_recalls_by_itself(converse: object) -> None:
    converse("Remember that my favourite colour is teal")
    text, tools = converse("Tell me my favourite colour please")
    assert "teal" in text and tools == []


def test_it_writes_reads_and_lists_files(converse: object) -> None:
    assert converse("Create a file notes/todo.txt with the content: buy towels")[1] == ["files.write"]
    assert converse("Read the file notes/todo.txt")[0] == "buy towels\n(offline model)"
    assert "notes/todo.txt" in converse("List the files")[0]


def test_it_counts_and_lists_rows(converse: object, acme: "Tenant") -> None:
    load_table(acme.pk, "stock", [{"item": "soap"}, {"item": "towel"}], "create", from_text=False)
    assert converse("How many stock items are there?")[0].startswith("2 ")
    assert "soap" in converse("Show the stock")[0]


def test_it_says_what_it_cannot_do(converse: object) -> None:
    assert "offline model" in converse("Write me a poem about rain")[0]
    assert "did not work" in converse("Read the file none.txt")[0]
