"""store and search: by meaning and by words, within what the asker may see, exactly or through an index."""

import random
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from memory.entries import candidates, entry_store, indexes
from memory.entries.embedding import LOCAL_MODEL, LocalEmbedder, similarity, unit_vector
from memory.entries.entry_store import MemoryNotFound, NewMemory
from memory.entries.query import MemoryQuery
from memory.entries.search import search_memories
from memory.entries.visibility import Viewer, visible_to
from memory.entries.words import CHUNK, pieces
from memory.models import MemoryEntry
from tests.bench.memories import sentence

if TYPE_CHECKING:
    from accounts.models import Tenant

ME, COLLEAGUE = uuid.UUID(int=1), uuid.UUID(int=2)
RUN, OTHER_RUN = uuid.UUID(int=11), uuid.UUID(int=12)


def remember(tenant: "Tenant", content: str, by: uuid.UUID | None = ME, **more: Any) -> str:
    """The id of a new memory, the user's own unless told otherwise."""
    fields: dict[str, Any] = {"type": "long_term", "owner_type": "user", "owner_id": str(by)} | more
    vectors = LocalEmbedder().vectors(pieces(content))
    new = NewMemory(content=content, model=LOCAL_MODEL, vectors=vectors, **fields)
    return str(entry_store.store(tenant.pk, by, new).pk)


def find(tenant: "Tenant", text: str, viewer: Viewer | None = None, **more: Any) -> list[dict[str, Any]]:
    """What the user finds."""
    (vector,) = LocalEmbedder().vectors([text])
    return search_memories(viewer or Viewer(tenant.pk, ME), MemoryQuery(text, vector, LOCAL_MODEL, **more))


def ids(results: list[dict[str, Any]]) -> list[str]:
    """Their ids, the best first."""
    return [memory["memory_id"] for memory in results]


def test_a_memory_is_found_by_its_meaning_and_an_unrelated_one_is_not(tenant: "Tenant") -> None:
    refund = remember(tenant, "The customer wants their money back for the cancelled booking.")
    remember(tenant, "Photosynthesis turns sunlight into sugar inside green leaves.")
    results = find(tenant, "customer asking for a refund of a cancelled booking")
    assert ids(results) == [refund] and 0.7 <= results[0]["similarity"] <= 1 and 0 < results[0]["cosine"] <= 1


def test_a_code_is_found_by_its_letters_though_no_vector_knows_it(tenant: "Tenant") -> None:
    for number in range(40):
        remember(tenant, f"Invoice KX-{4700 + number} was sent to the customer in March, and paid by bank transfer.")
    memory_id = remember(tenant, "Nobody has heard of ZQ-77 since the boiler exploded; ask Jonas in the cellar.")
    assert ids(find(tenant, "ZQ-77"))[0] == memory_id


def test_a_long_memory_is_found_by_a_passage_in_it(tenant: "Tenant") -> None:
    filler = "Breakfast was served on the terrace without incident. " * 60
    needle = "The safe of the honeymoon suite was replaced by the locksmith after the burglary."
    remember(tenant, filler + filler)
    memory_id = remember(tenant, filler + needle + filler)
    assert len(pieces(filler)) > 2 and max(map(len, pieces(filler + needle))) <= CHUNK
    assert ids(find(tenant, "locksmith replaced the safe after a burglary", threshold=0.3))[0] == memory_id


@pytest.mark.parametrize(
    "filters,expected",
    [
        ({"type": "profile"}, {"profile"}),
        ({"owner_type": "tenant"}, {"tenant"}),
        ({"metadata": {"tag": "x"}}, {"tagged"}),
        ({"metadata": {"tag": "x", "day": 2}}, set()),
        ({"owners": (("user", str(ME)), ("run", str(RUN)))}, {"plain", "profile", "tagged"}),
    ],
)
def test_a_search_is_narrowed(tenant: "Tenant", filters: dict[str, Any], expected: set[str]) -> None:
    text = "The cook comes from Porto"
    memories = {
        "plain": remember(tenant, text),
        "profile": remember(tenant, text, type="profile"),
        "tenant": remember(tenant, text, owner_type="tenant", owner_id=tenant.pk),
        "tagged": remember(tenant, text, metadata={"tag": "x", "day": 1}),
    }
    assert set(ids(find(tenant, text, **filters))) == {memories[name] for name in expected}
    assert len(find(tenant, text, limit=2)) == 2


@pytest.mark.parametrize(
    "owner_type,owner_id,visibility,seen_by",
    [
        ("user", str(ME), "private", {"me"}),
        ("user", str(ME), "org", {"me", "colleague", "nobody", "agent", "run", "app"}),
        ("user", str(ME), "public", {"me", "colleague", "nobody", "agent", "run", "app", "stranger"}),
        ("tenant", "", "private", {"me", "colleague", "nobody", "agent", "run", "app"}),
        ("agent", "agent.a", "private", {"me", "agent"}),
        ("run", str(RUN), "private", {"me", "run"}),
        ("app", "tickets", "private", {"me", "app"}),
    ],
)
def test_visibility_decides_who_finds_and_reads_it(
    tenant: "Tenant", other_tenant: "Tenant", owner_type: str, owner_id: str, visibility: str, seen_by: set[str]
) -> None:
    viewers = {
        "me": Viewer(tenant.pk, ME),
        "colleague": Viewer(tenant.pk, COLLEAGUE, "other", "agent.b", OTHER_RUN),
        "nobody": Viewer(tenant.pk),
        "agent": Viewer(tenant.pk, COLLEAGUE, agent_id="agent.a"),
        "run": Viewer(tenant.pk, COLLEAGUE, run_id=RUN),
        "app": Viewer(tenant.pk, COLLEAGUE, app_id="tickets"),
        "stranger": Viewer(other_tenant.pk, ME, "tickets", "agent.a", RUN),
    }
    text = "The alarm code was changed in spring"
    id = remember(tenant, text, owner_type=owner_type, owner_id=owner_id or tenant.pk, visibility=visibility)
    assert {name for name, viewer in viewers.items() if find(tenant, text, viewer)} == seen_by
    readable = {name for name, viewer in viewers.items() if visible_to(viewer).filter(pk=id).exists()}
    assert readable == seen_by
    deletable = {"me"} | ({owner_type} & {"agent", "run", "app"})
    for name in sorted(viewers.keys() - deletable):
        with pytest.raises(MemoryNotFound):
            entry_store.find_deletable(viewers[name], id)
    entry_store.find_deletable(viewers[sorted(deletable)[0]], id).delete()
    assert not MemoryEntry.all_tenants.exists()


def test_what_is_over_is_neither_found_nor_kept(tenant: "Tenant") -> None:
    text = "The guest is out for lunch"
    remember(tenant, text, expires_at=timezone.now() - timedelta(seconds=1))
    memory_id = remember(tenant, text, expires_at=timezone.now() + timedelta(hours=1))
    assert ids(find(tenant, text)) == [memory_id]
    assert entry_store.purge_expired() == 1 and MemoryEntry.all_tenants.count() == 1


def test_a_step_that_is_done_again_stores_once(tenant: "Tenant") -> None:
    first, again = (remember(tenant, "Once", effect_key="run:step") for _ in range(2))
    assert first == again and remember(tenant, "Once", effect_key="run:other") != first


def test_texts_without_anything_to_embed_are_kept_and_harm_nothing(tenant: "Tenant") -> None:
    assert LocalEmbedder().vectors(["", "   "]) == [None, None]
    assert unit_vector([0.0, 0.0]) is None and unit_vector([float("nan"), 1.0]) is None
    remember(tenant, " ")
    assert find(tenant, " ") == []


@pytest.mark.parametrize("cosine,expected", [(-0.2, 0.0), (0.0, 0.0), (0.19, 0.35), (0.38, 0.7), (1.0, 1.0)])
def test_similarity_is_calibrated(cosine: float, expected: float) -> None:
    assert similarity(cosine, LOCAL_MODEL) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("metadata", [{}, {"tag": 3}])
def test_an_index_finds_what_comparing_all_would(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, Any]
) -> None:
    """recall@10 with and without a filter that leaves a tenth; the index is used, as the plan shows."""
    from tests.factories import make_tenant

    tenant, other, dice = make_tenant(), make_tenant(), random.Random(3)
    for number in range(1_500):
        owner = tenant if number % 3 else other
        remember(owner, sentence(dice), metadata={"tag": dice.randrange(10)}, owner_type="tenant", owner_id=owner.pk)
    questions = [sentence(dice) for _ in range(12)]
    viewer = Viewer(tenant.pk)

    def nearest(text: str) -> set[Any]:
        (vector,) = LocalEmbedder().vectors([text])
        question = MemoryQuery(text, vector, LOCAL_MODEL, metadata=metadata, public=False)
        results = candidates.by_meaning(viewer, question, 10)
        return set(sorted(results, key=lambda id: -results[id])[:10])

    exact = [nearest(text) for text in questions]
    (key, model, dimension) = next(results for results in indexes.missing_indexes(500) if results[0] == tenant.pk)
    name = indexes.build_index(key, model, dimension)
    monkeypatch.setattr(candidates, "MAX_EXACT", 20)
    before = _scans(name)
    through_index = [nearest(text) for text in questions]
    assert _scans(name) > before
    shared = sum(len(one & two) for one, two in zip(exact, through_index, strict=True))
    assert shared >= 0.95 * sum(map(len, exact))


def _scans(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s", [name])
        return int(cursor.fetchone()[0])


def test_the_words_of_a_question_do_not_decide_alone(tenant: "Tenant") -> None:
    (vector,) = LocalEmbedder().vectors(["hotel"])
    question = MemoryQuery("hotel", vector, LOCAL_MODEL, threshold=0.69)
    remember(tenant, "Long ago, before the flood, some hotel or other stood by the river and nobody ever went there.")
    assert search_memories(Viewer(tenant.pk, ME), question) == []
    assert search_memories(Viewer(tenant.pk, ME), replace(question, threshold=0.0)) != []


def test_postgresql_plans_with_the_rule_of_visibility_itself(tenant: "Tenant") -> None:
    plan = visible_to(Viewer(tenant.pk, ME)).explain()
    assert "visibility" in plan and "memory_is_" not in plan
