"""A million memories of ten tenants: sentences that say something, so that their vectors lie as real ones do."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from accounts.models import Tenant
from config.database.address import direct_parameters
from memory.entries.embedding import LOCAL_MODEL, LocalEmbedder
from tests.factories import make_tenant

TENANTS, OF_EACH = 10, 100_000
TAGS = 100  # a filter on one leaves a hundredth
BATCH = 5_000


def _split(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split(",")]


WHO = _split("guest, customer, driver, nurse, teacher, pilot, gardener, cook, lawyer, student, tourist, plumber")
WHAT = _split("""
    asked for a refund of, complained about, reserved, cancelled, praised the view from, lost a key of, paid the invoice
    for, wants to extend, reported a leak in, forgot a jacket in, asked about the price of, moved out of, took pictures
    of, requested cleaning of, returned late to, could not find, ordered breakfast to, left a review about
""")
WHERE = _split("""
    room, suite, apartment, garden house, conference hall, parking space, swimming pool, sauna, roof terrace, library,
    gym, restaurant table, boat cabin, tennis court, meeting room, wine cellar
""")
WHEN = _split("in January, in spring, last week, on Monday, before Easter, during the storm, at night, on the holiday")
WITH = _split("""
    with two children, with a dog, because of the noise, after the concert, by phone, by e-mail, in a hurry, for the
    wedding, on behalf of the company, without saying why, together with the neighbour, for a friend from Porto
""")


def sentence(dice: random.Random) -> str:
    """One of some million."""
    place = f"{dice.choice(WHERE)} {dice.randint(1, 400)}"
    return f"The {dice.choice(WHO)} {dice.choice(WHAT)} {place} {dice.choice(WHEN)} {dice.choice(WITH)}."


def connect() -> psycopg.Connection:
    """A bare connection, as somebody who writes SQL by hand would have it."""
    return psycopg.connect(**direct_parameters() | {"options": "-c timezone=UTC"}, autocommit=True)


def fill() -> Tenant:
    """The first of the tenants; all their memories are stored."""
    dice, tenants = random.Random(7), [make_tenant() for _ in range(TENANTS)]
    with connect() as connection:
        register_vector(connection)
        connection.execute("SET synchronous_commit = off")
        connection.execute("DROP INDEX memory_words, chunk_metadata")  # made at the end in one go, as a restore does
        for _ in range(TENANTS * OF_EACH // BATCH):
            _store(connection, [(_row(dice, dice.choice(tenants).pk)) for _ in range(BATCH)])
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("CREATE INDEX memory_words ON memory_memoryentry USING gin (words)")
        connection.execute("CREATE INDEX chunk_metadata ON memory_memorychunk USING gin (metadata jsonb_path_ops)")
        connection.execute("VACUUM ANALYZE memory_memorychunk, memory_memoryentry")
    return tenants[0]


def _row(dice: random.Random, tenant_id: str) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "tenant": tenant_id,
        "content": sentence(dice),
        "metadata": {"tag": dice.randrange(TAGS)},
    }


COMMON = "tenant_id, type, owner_type, owner_id, visibility, metadata"
TEXTS = ("varchar",) * 5
ENTRIES = f"COPY memory_memoryentry (id, content, {COMMON}) FROM STDIN (FORMAT binary)"
CHUNKS = f"COPY memory_memorychunk (entry_id, position, model, embedding, {COMMON}) FROM STDIN (FORMAT binary)"


def _store(connection: psycopg.Connection, rows: list[dict[str, Any]]) -> None:
    vectors = LocalEmbedder().vectors([row["content"] for row in rows])
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(ENTRIES) as copy:
            copy.set_types(("uuid", "text", *TEXTS, "jsonb"))
            for row in rows:
                copy.write_row((row["id"], row["content"], *_common(row)))
        with cursor.copy(CHUNKS) as copy:
            copy.set_types(("uuid", "int4", "varchar", "halfvec", *TEXTS, "jsonb"))
            for row, vector in zip(rows, vectors, strict=True):
                copy.write_row((row["id"], 0, LOCAL_MODEL, HalfVector(vector), *_common(row)))


def _common(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["tenant"], "long_term", "tenant", row["tenant"], "org", Jsonb(row["metadata"])


def questions(count: int) -> Iterator[str]:
    """Sentences of the same kind, but none of those stored."""
    dice = random.Random(11)
    for _ in range(count):
        yield sentence(dice).replace("The ", "Was it a ").replace(".", "?")
