"""The floor of isolation: the product's web application with PostgreSQL's part of it left out. Requests run in
autocommit, as the tables' owner, bound to no tenant; our own filters are all there is.
"""

from config.asgi import application  # noqa: I001 (it sets Django up, so it comes first)
from accounts import authentication
from accounts.authentication import TENANT, USER

authentication.open_scope = lambda request: None  # type: ignore[assignment]
authentication.BY_TOKEN = f"""
    SELECT m.role, {", ".join(f"u.{name}" for name in USER)}, {", ".join(f"t.{name}" for name in TENANT)}, ''
    FROM accounts_user u JOIN accounts_membership m ON m.user_id = u.id JOIN accounts_tenant t ON t.id = m.tenant_id
    WHERE u.is_active AND u.id = %s AND u.stamp = %s"""

__all__ = ["application"]
