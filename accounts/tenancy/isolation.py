"""Row-level security: PostgreSQL itself keeps tenants apart, even where our code forgets a filter.

Requests work as the role APP, which sees the rows of the tenant that the transaction is bound to, and none before it is
bound to one. What must see all tenants works as the role WORKER: engines, tasks, and the few moments in a request that
tenant_model.everywhere() marks. Both are without rights on the tables' structure, and neither may change the audit log.

isolation.sql has it all; it is run after each migration, for every TenantModel there is: a new table is isolated by
itself.
"""

from typing import Any

from django.apps import apps
from django.db import connection

from accounts.tenancy.tenant_model import TenantModel
from config.database.queries import load_queries, with_identifiers

SQL = load_queries(__package__, "isolation.sql")


def tenant_tables() -> list[type[TenantModel]]:
    """Every model whose rows belong to tenants."""
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


def isolate_tenants(plan: Any = None, **_: Any) -> None:
    """Make roles, rights and policies as they should be; after each migration (`plan` is empty when there was none)."""
    if not plan:
        return
    names = ["make_roles", "grant_rows", "make_member_functions", "grant_functions"]
    statements = [SQL[name] for name in names] + [text for model in tenant_tables() for text in _of_table(model)]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _of_table(model: type[TenantModel]) -> list[str]:
    statements = [SQL["isolate_table"]]
    if model.shared_rows:
        statements.append(SQL["share_rows"].replace(":condition", model.shared_rows))
    if model.append_only:
        statements.append(SQL["forbid_changes"])
    return [with_identifiers(statement, table=model._meta.db_table) for statement in statements]
