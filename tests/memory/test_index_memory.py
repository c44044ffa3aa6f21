"""Indexes are built by the tables' owner, in a process that works as another role, on a session of its own."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from accounts.tenancy.tenant_model import WORKER
from config.database.session import SharedSession
from memory.entries import indexes
from tests.pooler import needs_pgbouncer, own_folder, pooler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def worker() -> Iterator[None]:
    """This process' connections work as an engine's do."""
    connection.close()
    settings.DATABASE_ROLE = WORKER
    yield
    connection.close()
    settings.DATABASE_ROLE = ""


def test_a_worker_builds_an_index_and_is_a_worker_again() -> None:
    with indexes.build_lock() as mine:
        assert mine
        name = indexes.build_index("some-tenant", "a-model", 3)
    with connection.cursor() as cursor:
        assert indexes.is_indexed(cursor, name)
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (WORKER,)
    indexes.drop_indexes("a-model")
    with connection.cursor() as cursor:
        assert not indexes.is_indexed(cursor, name)


@needs_pgbouncer
@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the tests' own PostgreSQL is not ours to pool")
def test_no_index_is_built_where_the_lock_would_be_somebody_elses() -> None:
    before = dict(connection.settings_dict)
    with pooler(own_folder(), "transaction") as bouncer:
        connection.settings_dict.update(HOST=bouncer.host, PORT=bouncer.port)
        try:
            with pytest.raises(SharedSession, match="ENGINE_DATABASE_URL"), indexes.build_lock():
                pass
        finally:
            connection.close()
            connection.settings_dict.update(before)
