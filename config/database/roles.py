"""The roles that the product works as in the database, and how each transaction sets them.

A role and a tenant are set in the transaction itself, never on the session: a pooler may drop start-up options, and may
give each transaction another session, with whatever somebody else has set there.
"""

from functools import lru_cache

from django.db import OperationalError

APP, WORKER, OWNER = "regente_app", "regente_worker", ""  # the owner is whom the database's URL names
TENANT_SETTING = "regente.tenant"  # the tenant that a transaction is bound to
SET_TIME_ZONE = "SET LOCAL timezone = 'UTC'"  # a session of one's own has this set once
CHECK = """
SELECT current_user, coalesce(current_setting(%s, true), ''), pg_backend_pid(),
    (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
"""
NO_SUCH_ROLE, NOT_A_MEMBER = "22023", "42501"  # SQLSTATE of a SET ROLE that is refused


class WrongRole(OperationalError):
    """A connection on which this process cannot work as its role; the message says what to do. Nothing is served."""


def set_role(role: str) -> str:
    """The statement by which the transaction at hand goes on as this role."""
    return f"SET LOCAL ROLE {role or 'NONE'}"


@lru_cache
def prologue(role: str, pooled: bool = False) -> tuple[str, ...]:
    """The statements that a transaction of this role begins with: it is bound to no tenant. None for the owner."""
    if not role:
        return ()
    return (set_role(role), f"SET LOCAL {TENANT_SETTING} = ''", *([SET_TIME_ZONE] if pooled else []))


def refusal(role: str, login: str, sqlstate: str | None) -> WrongRole | None:
    """What a refused SET ROLE means, None when the fault is another one."""
    if sqlstate == NO_SUCH_ROLE:
        return WrongRole(f"The database has no role {role}: prepare it first (python -m config.launch prepare).")
    if sqlstate == NOT_A_MEMBER:
        return WrongRole(f'The database\'s login may not work as {role}: GRANT {role} TO "{login}".')
    return None


def check(role: str, current_user: str, tenant: str, bypasses_rls: bool) -> None:
    """WrongRole when a transaction that was to be this role's is another's, or may see more than the role should."""
    if not role:
        return
    if current_user != role or tenant:
        raise WrongRole(
            f"Statements run as {current_user}, bound to the tenant {tenant!r}, where they should run as {role}, bound"
            " to none: what stands between this process and PostgreSQL does not keep transactions together. Let"
            " DATABASE_URL lead to PostgreSQL itself or to a pooler in session or transaction mode."
        )
    if bypasses_rls:
        raise WrongRole(f"The role {role} sees past row-level security: ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS.")
