"""The roles user, developer and admin, the platform's operators above them, and what an API key is good for."""

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts.models import KeyPermission, Role
from accounts.tenancy.tenant_choice import choose_tenant
from config.errors import Forbidden, Unauthorized
from config.http.api_request import ApiRequest

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
OPERATOR = "operator"  # is_staff; stands above every role
RANK: dict[str, int] = {Role.USER: 0, "viewer": 0, Role.DEVELOPER: 1, Role.ADMIN: 2, OPERATOR: 3}


def has_role(request: Any, role: str) -> bool:
    """True when the caller's role includes this one."""
    return bool(request.user.is_staff) or RANK[request.role] >= RANK[role]


def require(request: Any, role: str) -> None:
    """Refuse a caller whose role does not include this one."""
    if not has_role(request, role):
        raise Forbidden(f"This needs the role {role}; yours is {request.role}.", required_role=role)


class Authenticated(BasePermission):
    """Anybody with credentials; a read-only API key may use safe methods only."""

    def has_permission(self, request: ApiRequest, view: Any) -> bool:
        """True, or a refusal that says what to do."""
        if request.user is None:
            raise Unauthorized
        if request.method not in SAFE_METHODS and KeyPermission.WRITE not in request.permissions:
            raise Forbidden("This API key may only read; use one with the permission write.")
        return True


class HasRole(BasePermission):
    """The role that the view's `roles` names for its action, else for "read" or "write"; none named = any member."""

    def has_permission(self, request: ApiRequest, view: Any) -> bool:
        """True, or a refusal that names the role."""
        kind = "read" if request.method in SAFE_METHODS else "write"
        role = view.roles.get(getattr(view, "action", None)) or view.roles.get(kind)
        if role:
            require(request, role)
        return True


class OwnTenant(BasePermission):
    """Nobody whose body names another tenant; header and query were looked at with the credentials."""

    def has_permission(self, request: ApiRequest, view: Any) -> bool:
        """True, or a refusal; the bodies of a view's `free_body` actions are the caller's own data."""
        free = getattr(view, "free_body", False)
        if isinstance(free, frozenset):
            free = view.action in free
        if request.method in WRITES and not free and isinstance(request.data, Mapping):
            choose_tenant(request._request, request.data)
        return True


class Operators(Authenticated):
    """The platform's operators alone."""

    def has_permission(self, request: ApiRequest, view: Any) -> bool:
        """True, or a refusal."""
        super().has_permission(request, view)
        require(request, OPERATOR)
        return True
