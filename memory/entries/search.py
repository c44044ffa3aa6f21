"""search: the memories that the viewer may see, found by meaning (vectors) and by words, the best first.

Synchronous, and over ready vectors: callers embed first (embedding.py), then come with a connection.
"""

from config.values.json_types import JsonObject
from memory.entries import candidates
from memory.entries.embedding import similarity
from memory.entries.entry_json import entry_json
from memory.entries.query import MemoryQuery
from memory.entries.visibility import Viewer, visible_to
from memory.entries.words import coverage, is_specific, key_words
from memory.models import MemoryEntry

WORDS_WORTH = 0.9  # the similarity of a text that has all key words of the query, however it is put


def search_memories(viewer: Viewer, query: MemoryQuery) -> list[JsonObject]:
    """The memories above the query's threshold, the best first, each with its calibrated `similarity` and with the
    `cosine` of its nearest chunk (null when it was found by words alone).
    """
    limit = max(query.limit * 4, 40)
    cosines = candidates.by_meaning(viewer, query, limit)
    words = key_words(query.text)
    ids_by_words = candidates.by_words(viewer, query, words, limit) if words else []
    without_cosine = [entry_id for entry_id in ids_by_words if entry_id not in cosines]
    if without_cosine and query.vector is not None:
        cosines |= candidates.cosines_of(query, without_cosine)
    rows = visible_to(viewer).filter(pk__in={*cosines, *ids_by_words}).defer("words")
    results = [_result(row, query, words, cosines.get(row.pk)) for row in rows]
    results = [result for result in results if result["similarity"] >= query.threshold]
    results.sort(key=lambda result: (-result["similarity"], result["memory_id"]))
    return results[: query.limit]


def search_result(entry: MemoryEntry, query: MemoryQuery, cosine: float | None) -> JsonObject:
    """The result for a memory that is not saved yet."""
    return _result(entry, query, key_words(query.text), cosine)


def _result(entry: MemoryEntry, query: MemoryQuery, words: list[str], cosine: float | None) -> JsonObject:
    by_meaning = similarity(cosine, query.model) if cosine is not None else 0.0
    by_words = WORDS_WORTH * coverage(words, entry.content) ** 2 if is_specific(words) else 0.0
    return {
        **entry_json(entry),
        "similarity": round(max(by_meaning, by_words), 4),
        "cosine": None if cosine is None else round(cosine, 4),
    }
