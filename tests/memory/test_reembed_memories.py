"""Another embedding model: asked over the gateway, and given to all memories by manage.py reembed."""

import asyncio
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from memory.entries.embedding import LOCAL_MODEL, embedder, same_subject
from memory.entries.query import MemoryQuery
from memory.entries.search import search_memories
from memory.entries.visibility import Viewer
from memory.models import MemoryChunk
from tests.memory.test_search_memory import ME, find, remember
from tests.model_server import DIMENSIONS, ModelServer

if TYPE_CHECKING:
    from accounts.models import Tenant

MODEL = "openai/text-embedding-3-small"


@pytest.fixture
def remote(settings: Any, model_server: ModelServer) -> ModelServer:
    """The scripted model server as the gateway, its embeddings as memory's."""
    settings.LLM_BASE_URL, settings.LLM_API_KEY = model_server.url, "sk-test"
    settings.EMBEDDING_MODEL = MODEL
    model_server.requests.clear()
    return model_server


def test_the_gateway_embeds(remote: ModelServer) -> None:
    first, blank = asyncio.run(embedder().embed(["Room 204", " "]))
    assert first is not None and len(first) == DIMENSIONS and sum(value * value for value in first) == pytest.approx(1)
    assert blank is None and remote.requests[0]["model"] == "text-embedding-3-small"
    assert same_subject(MODEL) == 0.45


@pytest.mark.django_db(transaction=True)  # an index of the old model, from whoever was here before, can be dropped
def test_reembedding_makes_all_memories_found_by_the_new_model(tenant: "Tenant", remote: ModelServer) -> None:
    memory_id = remember(tenant, "The boiler of the annex hums at night.")
    remember(tenant, "Breakfast is served on the terrace. " * 80)
    output = StringIO()
    call_command("reembed", stdout=output)
    assert f"2 memories have vectors of {MODEL}" in output.getvalue()
    assert set(MemoryChunk.all_tenants.values_list("model", flat=True)) == {MODEL}
    (vector,) = asyncio.run(embedder().embed(["The boiler of the annex hums at night"]))
    question = MemoryQuery("humming", vector, MODEL, limit=1, threshold=0.9)
    assert [memory["memory_id"] for memory in search_memories(Viewer(tenant.pk, ME), question)] == [memory_id]
    assert find(tenant, "boiler", threshold=0.95) == []  # the old model's vectors are gone
    call_command("reembed", stdout=output)
    assert LOCAL_MODEL not in set(MemoryChunk.all_tenants.values_list("model", flat=True))


@pytest.mark.django_db(transaction=True)
def test_the_memories_of_one_tenant_alone_are_embedded_again(
    tenant: "Tenant", other_tenant: "Tenant", remote: ModelServer
) -> None:
    for one in (tenant, other_tenant):
        remember(one, "The boiler of the annex hums at night.")
    call_command("reembed", "--tenant", tenant.pk, stdout=StringIO())
    models = dict(MemoryChunk.all_tenants.values_list("tenant_id", "model"))
    assert models == {tenant.pk: MODEL, other_tenant.pk: LOCAL_MODEL}


@pytest.mark.django_db(transaction=True)
def test_a_model_that_does_not_answer_leaves_memories_as_they_were(tenant: "Tenant", settings: Any) -> None:
    remember(tenant, "The boiler of the annex hums at night.")
    settings.LLM_BASE_URL, settings.LLM_API_KEY = "http://127.0.0.1:9/v1", "sk-test"
    settings.EMBEDDING_MODEL = MODEL
    with pytest.raises(CommandError, match="run this again"):
        call_command("reembed", stdout=StringIO())
    assert MemoryChunk.all_tenants.get().model == LOCAL_MODEL
