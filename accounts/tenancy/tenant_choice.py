"""The tenant that a request is for: the credential's own, or, for the platform's operators, one that they name."""

from collections.abc import Mapping
from typing import Any

from accounts.models import Tenant
from accounts.tenancy.tenant_model import bind
from config.errors import Forbidden, Invalid, NotFound
from config.http.api_request import ApiHttpRequest

MAX_END_USER_CHARS = 128
HEADER, FIELD = "HTTP_X_TENANT_ID", "tenant_id"


def choose_tenant(request: ApiHttpRequest, body: Mapping[str, Any] | None = None) -> None:
    """Refuse a request of an established caller that names another tenant, and take an operator there; note on whose
    behalf the call is made (request.on_behalf_of).
    """
    fields = body or {}
    end_user = request.META.get("HTTP_X_USER_ID") or _text(fields, "user_id")
    if len(end_user) > MAX_END_USER_CHARS:
        raise Invalid({"user_id": [f"Must have at most {MAX_END_USER_CHARS} characters."]})
    request.on_behalf_of = end_user
    for name in (request.META.get(HEADER), *request.GET.getlist(FIELD), _text(fields, FIELD)):
        if name and name != request.tenant.pk:
            if not request.user.is_staff:
                raise Forbidden("The tenant_id names another tenant; leave it out, or use that tenant's credentials.")
            request.tenant = _tenant(name)
            bind(name)


def _text(fields: Mapping[str, Any], key: str) -> str:
    """What the caller wrote under this key; "" when nothing."""
    value = fields.get(key)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise Invalid({key: ["Must be a text."]})
    return value


def _tenant(name: str) -> Tenant:
    """The tenant that an operator names."""
    tenant = Tenant.objects.filter(pk=name).first() if "\x00" not in name else None
    if tenant is None:
        raise NotFound("There is no such tenant.", tenant_id=name)
    return tenant
