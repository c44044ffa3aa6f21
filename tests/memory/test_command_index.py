"""manage.py index_memory and the scheduler's task: an index for each tenant that has grown to need one, once."""

from io import StringIO
from typing import TYPE_CHECKING

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from config.database.address import direct_parameters
from memory import tasks
from memory.entries import indexes
from memory.entries.embedding import LOCAL_MODEL
from tests.memory.test_search_memory import remember

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def memories(tenant: "Tenant") -> "Iterator[None]":
    """Two memories of one tenant; the indexes over them go with the test."""
    for text in ("The boiler of the annex hums.", "Breakfast is at eight."):
        remember(tenant, text)
    yield
    indexes.drop_indexes(LOCAL_MODEL)


def indexed(tenant: "Tenant") -> bool:
    """Whether the tenant has an index of its own."""
    with connection.cursor() as cursor:
        return indexes.is_indexed(cursor, indexes.index_name(tenant.pk, LOCAL_MODEL))


def command(least: int) -> str:
    """What the command prints."""
    output = StringIO()
    call_command("index_memory", "--least", str(least), stdout=output)
    return output.getvalue()


def test_a_tenant_that_has_grown_is_indexed_once(tenant: "Tenant") -> None:
    assert "0 indexes made" in command(3) and not indexed(tenant)
    assert f"{tenant.pk}: {LOCAL_MODEL}" in command(2) and indexed(tenant)
    assert "0 indexes made" in command(2)


def test_only_one_process_builds_indexes(tenant: "Tenant") -> None:
    with psycopg.connect(**direct_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [indexes.INDEX_LOCK])
        assert "Another process" in command(2)
        tasks.index()
    assert not indexed(tenant)


def test_the_scheduler_indexes_large_tenants_alone(tenant: "Tenant") -> None:
    tasks.index()
    assert not indexed(tenant)
