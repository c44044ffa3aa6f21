"""Whether requests work as the role that sees one tenant at a time, and tables keep tenants apart."""

from typing import Any

from django.db import Error, connection

from accounts.tenancy.isolation import tenant_tables
from accounts.tenancy.tenant_model import APP, request_scope
from config.database import roles
from config.processes.readiness import DOWN, READY, PartState, readiness_check

OPEN_TABLES = """
SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}') FROM pg_class
WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace AND NOT (relrowsecurity AND relforcerowsecurity)
"""


@readiness_check("isolation")
def check_isolation() -> PartState:
    """A request's transaction runs as its role, bound to no tenant, and every tenant's table is under row security."""
    user = None
    try:
        with request_scope():
            user, tenant, _, bypasses_rls = _row(roles.CHECK, [roles.TENANT_SETTING])
            roles.check(APP, user, tenant, bypasses_rls)
            [tables] = _row(OPEN_TABLES, [[model._meta.db_table for model in tenant_tables()]])
    except Error as fault:
        return PartState({"database_role": user}, DOWN, _problem(fault))
    problem = ""
    if tables:
        problem = (
            f"Tenants are not kept apart in {', '.join(tables)}: as the tables' owner, ALTER TABLE … ENABLE ROW LEVEL"
            " SECURITY, FORCE ROW LEVEL SECURITY."
        )
    return PartState({"database_role": user}, DOWN if problem else READY, problem)


def _row(statement: str, values: list[Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _problem(fault: Error) -> str:
    if isinstance(fault, roles.WrongRole):
        return str(fault)
    state = getattr(fault.__cause__, "sqlstate", None)
    login = connection.settings_dict.get("USER") or "the login of DATABASE_URL"
    refusal = roles.refusal(APP, login, state)
    return str(refusal) if refusal else "The database does not answer, so it is not known what requests may see."
