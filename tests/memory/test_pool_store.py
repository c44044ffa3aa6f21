"""A tenant's data store is read by its own logins, or not at all: not as whom a pooler logs everybody in."""

import asyncio
import os

import pytest
from django.db import connection

from config.errors import Unavailable
from memory.datastore import sql_runner
from memory.datastore.logins import make_store
from memory.datastore.tables import load_table
from tests.factories import make_tenant
from tests.pooler import needs_pgbouncer, own_folder, pooler

pytestmark = [
    needs_pgbouncer,
    pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the tests' own PostgreSQL is not ours to pool"),
]
SENTENCES = {"session": "logs everybody in as postgres", "transaction": "gives each transaction another session"}


@pytest.mark.parametrize("mode", SENTENCES)
def test_a_store_is_not_read_through_a_pooler_that_is_somebody_else(mode: str, transactional_db: None) -> None:
    tenant = make_tenant()
    load_table(tenant.pk, "stock", [{"item": "soap"}], "create", from_text=True)
    store = make_store(tenant.pk)
    assert asyncio.run(sql_runner.read(store, "SELECT item FROM stock")).rows == [{"item": "soap"}]
    before = dict(connection.settings_dict)
    with pooler(own_folder(), mode, sessions=20) as bouncer:
        connection.settings_dict.update(HOST=bouncer.host, PORT=bouncer.port)
        try:
            with pytest.raises(Unavailable, match=SENTENCES[mode]):
                asyncio.run(sql_runner.read(store, "SELECT item FROM stock"))
            with pytest.raises(Unavailable, match=SENTENCES[mode]):
                asyncio.run(sql_runner.write(store, "INSERT INTO stock (item) VALUES ('x') RETURNING *", None))
        finally:
            connection.settings_dict.update(before)
