"""The schema of a tenant's tables and the two logins that work on it.

What a model writes is run by a login that could do no harm even without a check of the statement: it owns
nothing, it reads the tenant's tables and views alone, and the tenant is looked up by who is logged in, which no
statement changes.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import ProgrammingError, connection, transaction
from psycopg import sql

from accounts.tenancy.tenant_model import as_owner
from config.errors import Unavailable
from memory.models import DataStore

VIEWS = "regente_views"
LEDGER = "_applied"
STATEMENT_S = 5
CONNECTIONS = 16
STORE_LOCK = 0x73746F72
READ_ONLY = {"default_transaction_read_only": "on"}
LIMITS = {
    "statement_timeout": f"{STATEMENT_S}s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",
    "jit": "off",
    "work_mem": "16MB",
    "max_parallel_workers_per_gather": "0",
}
SUPERUSERS_LIMITS = {"temp_file_limit": "64MB"}  # only a superuser may set it for others


@dataclass(frozen=True)
class Login:
    """A role that may log in, and its password: made of the secret key, so that it is stored nowhere."""

    role: str

    @property
    def password(self) -> str:
        """The same on every machine with the same SECRET_KEY."""
        return hmac.new(settings.SECRET_KEY.encode(), f"datastore:{self.role}".encode(), hashlib.sha256).hexdigest()


def find_store(tenant_id: str) -> DataStore | None:
    """The tenant's store, if it has one."""
    return DataStore.objects.for_tenant(tenant_id).first()


def ensure_store(tenant_id: str) -> DataStore:
    """The tenant's store, made when there is none; Unavailable when our role may not make roles."""
    return find_store(tenant_id) or make_store(tenant_id)


def make_store(tenant_id: str) -> DataStore:
    """Make, or make again as it should be: schema, logins, grants. The logins get the passwords of today's key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        tag = hashlib.sha256(f"{cursor.fetchone()[0]}\n{tenant_id}".encode()).hexdigest()[:24]
    names = {"schema": f"data_{tag}", "reader": f"regente_r_{tag}", "writer": f"regente_w_{tag}"}
    try:
        with transaction.atomic(), as_owner(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [STORE_LOCK, tenant_id])
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(names["schema"])))
            for role, more in ((names["reader"], READ_ONLY), (names["writer"], {})):
                _make_login(cursor, Login(role), LIMITS | more, names["schema"])
            _make_ledger(cursor, names["schema"], names["writer"])
            return DataStore.all_tenants.get_or_create(tenant_id=tenant_id, defaults=names)[0]
    except ProgrammingError as fault:
        if "permission denied" not in str(fault):
            raise
        raise Unavailable(
            "The tenant's data store cannot be made: the database role of DATABASE_URL needs CREATEROLE and CREATE on "
            "the database."
        ) from fault


def _make_login(cursor: Any, login: Login, limits: dict[str, str], schema: str) -> None:
    role = sql.Identifier(login.role)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.role])
    if not cursor.fetchone():  # these may be given by whoever makes a role, and changed by those alone who have them
        cursor.execute(sql.SQL("CREATE ROLE {} WITH NOINHERIT NOCREATEDB NOCREATEROLE").format(role))
    statement = sql.SQL("ALTER ROLE {role} WITH LOGIN CONNECTION LIMIT {most} PASSWORD {password}")
    cursor.execute(statement.format(role=role, most=sql.Literal(CONNECTIONS), password=sql.Literal(login.password)))
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if cursor.fetchone()[0]:
        limits = limits | SUPERUSERS_LIMITS
    for name, value in limits.items():
        cursor.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(name), sql.Literal(value)))
    # The catalogue last, or it would come first by itself and hide a table of the same name.
    path = sql.SQL(", ").join(sql.Identifier(place) for place in (schema, VIEWS, "pg_catalog"))
    cursor.execute(sql.SQL("ALTER ROLE {} SET search_path = {}").format(role, path))
    for place in (schema, VIEWS):
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(place), role))
    if READ_ONLY.items() <= limits.items():
        views = sql.Identifier(VIEWS)
        cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(views, role))
        cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {}.tenant() TO {}").format(views, role))


def _make_ledger(cursor: Any, schema: str, writer: str) -> None:
    """The table of the writes that were made, by their key: a write and its key are one transaction."""
    table = sql.Identifier(schema, LEDGER)
    cursor.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} (key text PRIMARY KEY, answer text)").format(table))
    cursor.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE ON {} TO {}").format(table, sql.Identifier(writer)))


def grant_table(cursor: Any, store: DataStore, name: str) -> None:
    """Let the reader read this table, and the writer insert and update rows as well."""
    table = sql.Identifier(store.schema, name)
    cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(table, sql.Identifier(store.reader)))
    cursor.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE ON {} TO {}").format(table, sql.Identifier(store.writer)))
