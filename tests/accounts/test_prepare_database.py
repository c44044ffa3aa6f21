"""A database whose owner is no superuser is prepared, and keeps tenants apart like any other."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from accounts.tenancy.health import check_isolation
from accounts.tenancy.tenant_model import APP, WORKER, bind, everywhere, request_scope
from config import embedded_servers
from memory.datastore import sql_runner
from memory.datastore.logins import make_store
from memory.datastore.tables import load_table
from orchestration.models import Workflow
from tests.factories import make_tenant, make_workflow
from tests.pooler import direct_url, own_folder
from tests.product import NOT_INHERITED

pytestmark = [
    pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="needs a superuser of the tests' own PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]
OWNER = DATABASE = "regente_test_owner"


def as_superuser(database: str, *statements: str) -> None:
    """Carry these out."""
    with psycopg.connect(direct_url(own_folder(), database), autocommit=True) as superuser:
        for statement in statements:
            superuser.execute(statement.encode())


@pytest.fixture
def owned(transactional_db: None) -> Iterator[None]:
    """The ORM works on a database that was prepared by an owner with CREATEROLE and nothing else."""
    as_superuser("postgres", f"CREATE ROLE {OWNER} LOGIN CREATEROLE", f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    as_superuser("postgres", f"GRANT {APP}, {WORKER} TO {OWNER}")  # made for the tests' own database before
    as_superuser(DATABASE, "CREATE EXTENSION vector")
    before = dict(connection.settings_dict)
    try:
        prepare(direct_url(own_folder(), DATABASE).replace("postgres@", f"{OWNER}@"))
        connection.close()
        connection.settings_dict.update(NAME=DATABASE, USER=OWNER)
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
        as_superuser("postgres", f"DROP DATABASE {DATABASE} WITH (FORCE)")
        drop_logins()


def prepare(url: str) -> None:
    """What is done once per deployment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    environment = kept | {"DATABASE_URL": url, "SECRET_KEY": os.environ["SECRET_KEY"]}
    command = [sys.executable, "-m", "config.launch.prepare"]
    done = subprocess.run(
        command, env=environment, cwd=embedded_servers.BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def drop_logins() -> None:
    """The owner, and the logins that it has made."""
    with psycopg.connect(direct_url(own_folder(), "postgres"), autocommit=True) as superuser:
        made = superuser.execute(
            "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
            " WHERE m.member = %s::regrole AND r.rolcanlogin", [OWNER]
        ).fetchall()  # fmt: skip
        for (name,) in made:
            superuser.execute(f"DROP ROLE {name}".encode())
        superuser.execute(f"DROP ROLE {OWNER}".encode())


def test_an_owner_without_special_rights_keeps_tenants_apart(owned: None) -> None:
    assert check_isolation().problem == ""
    mine, other = make_tenant(), make_tenant()
    for tenant in (mine, other):
        make_workflow(tenant)
    with request_scope():
        assert Workflow.all_tenants.count() == 0
        bind(mine.pk)
        assert {row.tenant_id for row in Workflow.all_tenants.all()} == {mine.pk}
        with everywhere():
            assert Workflow.all_tenants.count() == 2
        load_table(mine.pk, "stock", [{"item": "soap"}], "create", from_text=True)
    store = make_store(mine.pk)  # once more, as after a change of the secret key
    assert asyncio.run(sql_runner.read(store, "SELECT item FROM stock")).rows == [{"item": "soap"}]
    assert asyncio.run(sql_runner.read(store, "SELECT count(*) AS n FROM workflows")).rows == [{"n": 1}]
