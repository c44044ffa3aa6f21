"""What a model writes as SQL: honest questions are answered, hostile ones do no harm, with the gate and without it."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from config.errors import DomainError, Invalid
from memory.datastore import sql_gate, sql_runner
from memory.datastore.logins import make_store
from memory.datastore.sql_errors import SqlFailed
from memory.datastore.tables import describe_tables, load_table
from memory.models import DataStore
from tests.factories import make_tenant, make_user, make_workflow

LINES = (Path(__file__).parent / "hostile_sql.txt").read_text().splitlines()
HOGS = [line.removeprefix("~ ") for line in LINES if line.startswith("~ ")]
HOSTILE = [line for line in LINES if line and not line.startswith(("# ", "~ "))]
STOCK = [
    {"item": "soap", "stock": "9", "bought": "2026-01-05"},
    {"item": "towel", "stock": "3", "bought": "2026-02-01"},
]
CANARY = "canary-of-somebody-else"
HONEST = [
    "SELECT item FROM stock",
    "SELECT * FROM stock WHERE stock > 5 ORDER BY item",
    "SELECT count(*) AS n FROM stock",
    "SELECT sum(stock) AS total, avg(stock), min(item), max(item) FROM stock",
    "SELECT item, sum(stock) FROM stock GROUP BY item HAVING sum(stock) > 1 ORDER BY 2 DESC",
    "WITH few AS (SELECT * FROM stock WHERE stock < 5) SELECT count(*) FROM few",
    "SELECT s.item, o.item FROM stock s JOIN stock o ON o.stock < s.stock",
    "SELECT s.item FROM stock s LEFT JOIN stock o ON o.stock > s.stock WHERE o.item IS NULL",
    "SELECT CASE WHEN stock > 5 THEN 'many' ELSE 'few' END AS how, count(*) FROM stock GROUP BY how",
    "SELECT lower(item), upper(item), length(item), coalesce(stock, 0) FROM stock",
    "SELECT item FROM stock WHERE item ILIKE '%OW%' OR item IN ('soap')",
    "SELECT item, rank() OVER (ORDER BY stock DESC) FROM stock",
    "SELECT item, stock::numeric / nullif(sum(stock) OVER (), 0) AS share FROM stock",
    "SELECT DISTINCT item FROM stock LIMIT 1 OFFSET 1",
    "SELECT item FROM stock UNION SELECT item FROM stock",
    "SELECT item FROM stock WHERE EXISTS (SELECT 1 FROM stock o WHERE o.stock > stock.stock)",
    "SELECT (SELECT max(stock) FROM stock) AS most",
    "SELECT string_agg(item, ', ' ORDER BY item) AS items FROM stock",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY stock) FROM stock",
    "SELECT round(avg(stock), 2), stddev(stock) FROM stock",
    "SELECT count(*) FILTER (WHERE stock > 5) FROM stock",
    "SELECT concat(item, ' x'), item || '!', left(item, 2), split_part(item, 'o', 1) FROM stock",
    "SELECT item FROM stock WHERE stock BETWEEN 1 AND 5 AND NOT item = 'soap'",
    "SELECT to_char(started_at, 'YYYY-MM') AS month, count(*) FROM runs GROUP BY 1",
    "SELECT date_trunc('day', created_at), status, count(*) FROM runs GROUP BY 1, 2",
    "SELECT count(*) FROM runs WHERE created_at > now() - interval '7 days'",
    "SELECT extract(epoch FROM finished_at - started_at) FROM runs WHERE finished_at IS NOT NULL",
    "SELECT kind, count(*) FROM events GROUP BY kind",
    "SELECT r.id, s.name FROM runs r JOIN steps s ON s.run_id = r.id",
    "SELECT payload->>'error' FROM events WHERE payload ? 'error'",
    "SELECT name, updated_at::date FROM workflows ORDER BY updated_at DESC FETCH FIRST 3 ROWS ONLY",
    "SELECT item FROM stock -- the items\n;",
]


@pytest.fixture
def store(transactional_db: None) -> Iterator[DataStore]:
    """The store of a tenant with a table `stock`; beside it a tenant whose rows nobody else may see."""
    ours, theirs = make_tenant(), make_tenant()
    for tenant, rows in ((ours, STOCK), (theirs, [{"item": CANARY, "stock": "1"}])):
        load_table(tenant.pk, "stock", rows, "create", from_text=True)
        make_workflow(tenant, name=CANARY if tenant is theirs else "ours")
    make_user(theirs, email=f"{CANARY}@example.com")
    yield DataStore.objects.for_tenant(ours).get()
    with connection.cursor() as cursor:  # roles outlive a test's database
        for row in DataStore.all_tenants.all():
            cursor.execute(f"DROP SCHEMA {row.schema} CASCADE")
            for role in (row.reader, row.writer):
                cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def state() -> str:
    """A digest of all rows of all tables."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
            " OR schemaname LIKE 'data_%' ORDER BY 1"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {table} t")
            digest.update(f"{table} {cursor.fetchone()}".encode())
    return digest.hexdigest()


def read(store: DataStore, sql: str, with_gate: bool = True) -> list[dict[str, Any]]:
    """The rows that a model's SQL answers."""
    statement = sql_gate.read_statement(sql, describe_tables(store.tenant_id)).sql if with_gate else sql
    return asyncio.run(sql_runner.read(store, statement)).rows


def test_honest_questions_are_answered(store: DataStore) -> None:
    failures = []
    for sql in HONEST:
        try:
            read(store, sql)
        except DomainError as fault:
            failures.append(f"{sql}: {fault.message}")
    assert not failures


def test_answers_are_what_the_table_holds(store: DataStore) -> None:
    assert read(store, "SELECT item, stock FROM stock ORDER BY item") == [
        {"item": "soap", "stock": 9},
        {"item": "towel", "stock": 3},
    ]
    assert read(store, "SELECT name FROM workflows") == [{"name": "ours"}]


@pytest.mark.parametrize("with_gate", [True, False], ids=["gate on", "gate off"])
def test_hostile_sql_does_no_harm(store: DataStore, with_gate: bool) -> None:
    """The second time the parser is out of the way: roles, the cursor, the transaction and the limits hold alone."""
    before, leaks = state(), []
    for line in [*HOSTILE, *HOGS] if with_gate else HOSTILE:
        sql = line.replace("{t}", "stock")
        try:
            rows = read(store, sql, with_gate)
        except DomainError:
            rows = []
        if with_gate and rows and "FROM events" not in sql:
            leaks.append(f"passed the gate: {sql}")
        text = str(rows)
        if CANARY in text or "root:" in text or "$argon2" in text or "md5" in text or "SCRAM" in text:
            leaks.append(f"{sql} told {text[:200]}")
    assert not leaks
    assert state() == before


def test_a_statement_that_takes_too_long_is_ended_without_the_gate_too(store: DataStore) -> None:
    load_table(store.tenant_id, "large", [{"n": n} for n in range(1000)], "create", from_text=False)
    aliases = ", ".join(f"large AS {letter}" for letter in "abcde")
    for sql in (*(sql for sql in HOGS if "endless" in sql), f"SELECT count(*) FROM {aliases}"):
        with pytest.raises(SqlFailed):
            read(store, sql, with_gate=False)


def test_a_with_means_itself_alone(store: DataStore) -> None:
    few = "WITH few AS (SELECT item FROM stock WHERE stock < 5), many AS (SELECT item FROM stock WHERE stock > 5)"
    assert read(store, f"{few} SELECT few.item FROM few") == [{"item": "towel"}]
    both = read(store, f"{few} SELECT f.item FROM few AS f UNION SELECT many.item FROM many ORDER BY 1")
    assert both == [{"item": "soap"}, {"item": "towel"}]
    assert read(store, "SELECT s.item FROM (WITH x AS (SELECT item FROM stock) SELECT x.* FROM x) AS s LIMIT 1")
    with pytest.raises(DomainError):
        read(
            store, "SELECT rolname FROM pg_roles WHERE EXISTS (WITH pg_roles AS (SELECT 1 AS a) SELECT 1 FROM pg_roles)"
        )


def test_no_table_is_called_as_one_of_the_catalogue(store: DataStore) -> None:
    with pytest.raises(Invalid):
        load_table(store.tenant_id, "pg_tables", STOCK, "create", from_text=True)


def test_only_a_table_of_the_tenants_is_written_to(store: DataStore) -> None:
    for sql in (
        "INSERT INTO _applied (key) SELECT 'k' WHERE EXISTS (WITH _applied AS (SELECT 1) SELECT 1)",
        "UPDATE _applied SET answer = 'x' WHERE EXISTS (WITH _applied AS (SELECT 1 AS z) SELECT z FROM _applied)",
        "UPDATE stock SET item = (SELECT answer FROM _applied LIMIT 1) WHERE EXISTS (WITH _applied AS (SELECT 1)"
        " SELECT 1)",
    ):
        with pytest.raises(DomainError):
            write(store, sql)


def test_half_a_character_in_a_statement_is_a_failed_statement(store: DataStore) -> None:
    with pytest.raises(DomainError):
        read(store, "SELECT 'a\ud800'")


@pytest.mark.parametrize(
    "sql,value",
    [
        ("SELECT '1e400'::numeric AS x", f"1{'0' * 400}"),
        ("SELECT sum(x.n) * 10 AS x FROM (SELECT 9223372036854775807 AS n) AS x", "92233720368547758070"),
        ("SELECT 9223372036854775807 AS x", 9223372036854775807),
        ("""SELECT '"\\ud800"'::json AS x""", "\ufffd"),
        ("SELECT 'NaN'::float8 AS x", "NaN"),
    ],
)
def test_each_digit_is_answered(store: DataStore, sql: str, value: Any) -> None:
    assert read(store, sql) == [{"x": value}]


@pytest.mark.parametrize(
    "sql,columns",
    [
        ("SELECT stock, item, bought FROM stock LIMIT 1", ["stock", "item", "bought"]),
        ("SELECT * FROM stock LIMIT 1", ["item", "stock", "bought"]),
        ("SELECT stock AS zzz, item AS a FROM stock WHERE stock < 0", ["zzz", "a"]),
        ("SELECT s.item, o.item, s.stock, o.stock FROM stock s JOIN stock o ON s.item = o.item LIMIT 1",
         ["item", "item_2", "stock", "stock_2"]),
        ("SELECT count(*), count(item) FROM stock", ["count", "count_2"]),
        ("SELECT 1 AS \"It's %s \"\"q\"\"\", 2 AS b", ["It's %s \"q\"", "b"]),
        ("WITH few AS (SELECT bought, item FROM stock) SELECT * FROM few LIMIT 1", ["bought", "item"]),
    ],
)  # fmt: skip
def test_columns_come_in_the_order_of_the_select(store: DataStore, sql: str, columns: list[str]) -> None:
    answer = asyncio.run(sql_runner.read(store, sql_gate.read_statement(sql, describe_tables(store.tenant_id)).sql))
    assert answer.columns == columns and all(list(row) == columns for row in answer.rows)


def test_a_column_with_the_name_of_a_word_of_sql_is_read(store: DataStore) -> None:
    load_table(store.tenant_id, "words", [{"order": 1, "user": 2, "left": 3}], "create", from_text=False)
    assert read(store, 'SELECT "user", w."order", "left" FROM words w') == [{"user": 2, "order": 1, "left": 3}]


def test_a_write_answers_its_columns_too(store: DataStore) -> None:
    sql = "INSERT INTO stock (stock, item) VALUES (1, 'brush')"
    statement = sql_gate.write_statement(sql, describe_tables(store.tenant_id)).sql
    first, again = (asyncio.run(sql_runner.write(store, statement, "key")) for _ in range(2))
    assert first == again and first.columns == ["item", "stock", "bought"] == list(first.rows[0])


def test_more_rows_and_bytes_than_may_be_told_are_cut(store: DataStore) -> None:
    rows = [{"n": n, "text": "x" * 20_000} for n in range(300)]
    load_table(store.tenant_id, "large", rows, "create", from_text=False)
    assert len(read(store, "SELECT n FROM large")) == 200
    answer = asyncio.run(sql_runner.read(store, "SELECT * FROM large"))
    assert answer.truncated and len(answer.rows) < 120
    load_table(store.tenant_id, "huge", [{"text": "x" * 300_000}], "create", from_text=False)
    with pytest.raises(SqlFailed, match="256 KiB"):
        read(store, "SELECT text FROM huge")


def write(store: DataStore, sql: str, key: str | None = None) -> sql_runner.Rows:
    """What an INSERT or UPDATE answers."""
    return asyncio.run(sql_runner.write(store, sql_gate.write_statement(sql, ["stock"]).sql, key))


def test_a_write_is_made_once_per_key(store: DataStore) -> None:
    sql = "UPDATE stock SET stock = stock - 1 WHERE item = 'towel'"
    first, again = write(store, sql, "run:step"), write(store, sql, "run:step")
    assert first.rows[0]["stock"] == again.rows[0]["stock"] == 2
    assert write(store, sql, "run:other").rows[0]["stock"] == 1


def test_a_writer_cannot_do_what_is_not_a_write_even_without_the_gate(store: DataStore) -> None:
    before = state()
    for line in HOSTILE:
        sql = line.replace("{t}", "stock")
        if sql.startswith(("UPDATE", "INSERT", "WITH made", "WITH set", "LOCK", "SELECT * FROM stock FOR UPDATE")):
            continue
        try:
            rows = asyncio.run(sql_runner.write(store, sql, None)).rows
        except DomainError:
            continue
        assert CANARY not in str(rows)
    assert state() == before


def test_a_new_secret_key_makes_the_logins_anew(store: DataStore, settings: Any) -> None:
    settings.SECRET_KEY = "another-key-than-the-one-that-the-logins-were-made-with"
    make_store(store.tenant_id)
    assert len(read(store, "SELECT * FROM stock")) == 2


def test_the_logins_own_nothing_and_may_nothing(store: DataStore) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = ANY(%s)",
            [[store.reader, store.writer]],
        )
        assert set(cursor.fetchall()) == {(False,) * 5}
        cursor.execute(
            "SELECT count(*) FROM pg_class c WHERE has_table_privilege(%s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
            " AND c.relkind = 'r'",
            [store.reader],
        )
        assert cursor.fetchone()[0] == 0
