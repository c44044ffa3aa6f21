"""One audit entry per operation that changes something, derived from the request and its answer."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from config.errors import keep_afterwards
from config.http import origin
from config.http.api_request import ApiHttpRequest
from governance.audit.audit_log import Deed, record, record_failed_login

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
VERBS = {"partial_update": "update", "destroy": "delete", "import_manifest": "create"}
ONLY_ASKS = frozenset({"backtest_saved", "backtest_unsaved"})  # they come as POST and change nothing


class AuditMiddleware:
    """Records what the request has done, in its transaction, unless that is on record already."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiHttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method in SAFE or origin.current().recorded:
            return response
        if response.status_code < 400:
            deed = _deed(request, response)
            if deed is not None:
                record(deed)
        elif response.status_code == 401 and (tried := request.failed_login):
            keep_afterwards(request, partial(record_failed_login, tried))
        return response


def _deed(request: ApiHttpRequest, response: HttpResponseBase) -> Deed | None:
    """What was done; None for what changed nothing."""
    view = (getattr(response, "renderer_context", None) or {}).get("view")
    if view is None:
        return None
    name = getattr(view, "audit_action", "") or getattr(view, "action", "") or ""
    identity = getattr(request, "identity", None)
    if name in ONLY_ASKS or identity is None:
        return None
    told = getattr(response, "data", None)
    hidden = getattr(view, "audit_hidden", ())
    told = _without(told, hidden)
    noted = request.audit
    action = noted.get("action") or VERBS.get(name, name)
    return Deed(
        request.tenant.pk,
        action,
        _type(view),
        _id(view, told),
        identity.user.pk,
        request.on_behalf_of,
        before=_without(noted.get("before"), hidden) if action in ("update", "delete") else None,
        after=told if action in ("create", "update") else None,
    )


def _without(told: Any, hidden: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in hidden} if isinstance(told, Mapping) else {}


def _type(view: Any) -> str:
    named: str = getattr(view, "audit_type", "")
    model = getattr(view, "model", None)
    return named or (str(model._meta.verbose_name).replace(" ", "_") if model else "account")


def _id(view: Any, told: Mapping[str, Any]) -> str:
    key = getattr(view, "lookup_url_kwarg", None) or getattr(view, "lookup_field", "pk")
    named = view.kwargs.get(key) or told.get("id") or told.get("key_id") or told.get("name") or ""
    return str(named)
