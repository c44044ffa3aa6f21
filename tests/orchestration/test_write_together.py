"""Statements that travel together: BEGIN with the first, what may wait with the next or with COMMIT."""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from accounts.models import Tenant
from config.database import prepared_statements

INSERT = (
    "INSERT INTO accounts_tenant (id, name, open_registration, weight, created_at) VALUES (%s, %s, false, 1, now())"
)
NAMED = "SELECT name FROM accounts_tenant WHERE id = %s"
ECHO = "SELECT %s::text"
pytestmark = pytest.mark.django_db(transaction=True)


def ids() -> set[str]:
    """The tenants that others see."""
    found: set[str] = set()

    def look() -> None:
        found.update(Tenant.objects.values_list("pk", flat=True))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found


@pytest.fixture(autouse=True)
def own_connection() -> Iterator[None]:
    """The statements are prepared, so that they can go together; what a test does to its connection is over with it."""
    prepared_statements.execute(INSERT, ["first", "First"])
    for statement, value in ((NAMED, "first"), (ECHO, "")):
        prepared_statements.execute(statement, [value])
    yield
    connection.close()


def test_what_waits_is_there_for_the_next_statement_and_for_others_after_the_commit() -> None:
    with transaction.atomic():
        prepared_statements.execute_later(INSERT, ["a", "A"])
        assert prepared_statements.execute(NAMED, ["a"]) == ("A",)
        prepared_statements.execute_later(INSERT, ["b", "B"])
        assert Tenant.objects.filter(pk="b").exists()
        prepared_statements.execute_later(INSERT, ["c", "C"])
        assert "c" not in ids()
    assert {"a", "b", "c"} <= ids()


def test_outside_of_a_transaction_nothing_waits() -> None:
    prepared_statements.execute_later(INSERT, ["d", "D"])
    assert "d" in ids()


def test_a_fault_of_what_waited_is_raised_by_the_commit_and_nothing_stays() -> None:
    with pytest.raises(IntegrityError, match="accounts_tenant_pkey"), transaction.atomic():
        prepared_statements.execute(INSERT, ["e", "E"])
        prepared_statements.execute_later(INSERT, ["e", "again"])
    assert "e" not in ids()
    prepared_statements.execute_later(INSERT, ["e", "E"])
    assert "e" in ids()


def test_a_fault_in_the_middle_leaves_a_savepoint_to_go_back_to() -> None:
    with transaction.atomic():
        prepared_statements.execute_later(INSERT, ["f", "F"])
        with pytest.raises(IntegrityError), transaction.atomic():
            prepared_statements.execute_later(INSERT, ["f", "again"])
            prepared_statements.execute(ECHO, ["never asked"])
        prepared_statements.execute_later(INSERT, ["g", "G"])
    assert {"f", "g"} <= ids()


def test_what_waits_when_its_savepoint_is_undone_is_forgotten() -> None:
    with transaction.atomic():
        with pytest.raises(ValueError, match="changed my mind"), transaction.atomic():
            prepared_statements.execute_later(INSERT, ["first", "which would be a fault"])
            raise ValueError("changed my mind")
        prepared_statements.execute_later(INSERT, ["k", "K"])
    assert "k" in ids()


def test_a_first_statement_that_fails_takes_its_begin_with_it() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        prepared_statements.execute(INSERT, ["first", "again"])
    prepared_statements.execute_later(INSERT, ["l", "L"])
    assert "l" in ids()


def test_a_cursor_that_is_older_than_the_transaction_works_in_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        with transaction.atomic():
            prepared_statements.execute_later(INSERT, ["m", "M"])
            cursor.execute("UPDATE accounts_tenant SET name = 'changed' WHERE id = 'm'")
            assert cursor.rowcount == 1 and "m" not in ids()
            transaction.set_rollback(True)
    assert "m" not in ids()


def test_a_commit_of_what_has_failed_is_no_success() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        prepared_statements.execute(INSERT, ["n", "N"])
        with contextlib.suppress(IntegrityError):
            prepared_statements.execute(INSERT, ["first", "again"])
    assert "n" not in ids()


def test_what_is_undone_is_not_there() -> None:
    with transaction.atomic():
        prepared_statements.execute_later(INSERT, ["h", "H"])
        transaction.set_rollback(True)
    with transaction.atomic():
        transaction.set_rollback(True)
    with transaction.atomic():
        pass
    assert "h" not in ids()


def test_a_connection_that_is_lost_is_said_to_be_lost_and_made_again() -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        assert prepared_statements.execute(INSERT, ["i", "I"]) is None
        [pid] = prepared_statements.execute("SELECT pg_backend_pid()", []) or ()
        cut(pid)
        prepared_statements.execute_later(INSERT, ["j", "J"])
    assert not {"i", "j"} & ids()
    prepared_statements.execute_later(INSERT, ["i", "I"])
    assert "i" in ids()


def cut(pid: int) -> None:
    """End this session of the server's, from another one."""

    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        connection.close()

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()


def test_a_long_statement_lets_other_threads_work() -> None:
    with transaction.atomic():
        ended: list[float] = []

        def work() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify('awake', '')")
            ended.append(time.monotonic())
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        prepared_statements.execute("SELECT pg_sleep(%s::float8)::text", [0.5])
        slept = time.monotonic()
        thread.join()
    assert ended[0] < slept


def test_large_values_go_both_ways() -> None:
    text = uuid.uuid4().hex * 500_000
    with transaction.atomic():
        assert prepared_statements.execute(ECHO, [text]) == (text,)
        prepared_statements.execute_later(INSERT, ["o", "O"])
        assert prepared_statements.execute(ECHO, [text]) == (text,)
    assert "o" in ids()
