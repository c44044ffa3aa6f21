"""The floor of isolation: the product's web application with PostgreSQL's part of it left out. Requests are one
transaction as they are in the product, but the tables' owner's, bound to no tenant; our own filters are all there is.
"""

from config.asgi import application  # noqa: I001 (it sets Django up, so it comes first)
from accounts.login import authentication
from accounts.login.authentication import TENANT, USER
from django.db import transaction
from django.http import HttpRequest


def open_scope(request: HttpRequest) -> None:
    """Begin the request's transaction, and nothing else."""
    scope = request.transaction_scope  # type: ignore[attr-defined]
    if scope is not None:
        scope.enter_context(transaction.atomic())
        request.transaction_scope = None  # type: ignore[attr-defined]


authentication.open_scope = open_scope  # type: ignore[assignment]
authentication.SQL["member_of_token"] = f"""
    SELECT m.role, {", ".join(f"u.{name}" for name in USER)}, {", ".join(f"t.{name}" for name in TENANT)}, ''
    FROM accounts_user u JOIN accounts_membership m ON m.user_id = u.id JOIN accounts_tenant t ON t.id = m.tenant_id
    WHERE u.is_active AND u.id = %(user_id)s AND u.stamp = %(stamp)s"""

__all__ = ["application"]
