"""One audit entry per operation that changes something, derived from the request and its answer."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from config.http import origin
from config.http.api_request import ApiHttpRequest
from config.http.error_handler import keep_afterwards
from config.values.json_types import JsonObject
from governance.audit.audit_log import AuditRecord, append_record, record_failed_login

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
VERBS = {"partial_update": "update", "destroy": "delete", "import_manifest": "create"}
READ_ACTIONS = frozenset({"backtest_saved", "backtest_unsaved"})  # they come as POST and change nothing


class AuditMiddleware:
    """Records what the request has done, in its transaction, unless that is on record already."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: ApiHttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method in SAFE or origin.current().is_recorded:
            return response
        if response.status_code < 400:
            audit_record = _audit_record(request, response)
            if audit_record is not None:
                append_record(audit_record)
        elif response.status_code == 401 and (email := request.failed_login):
            keep_afterwards(request, partial(record_failed_login, email))
        return response


def _audit_record(request: ApiHttpRequest, response: HttpResponseBase) -> AuditRecord | None:
    """What was done; None for what changed nothing."""
    view = (getattr(response, "renderer_context", None) or {}).get("view")
    if view is None:
        return None
    name = getattr(view, "audit_action", "") or getattr(view, "action", "") or ""
    identity = getattr(request, "identity", None)
    if name in READ_ACTIONS or identity is None:
        return None
    payload = getattr(response, "data", None)
    hidden_names = getattr(view, "audit_hidden", ())
    payload = _without(payload, hidden_names)
    note = request.audit
    action = note.get("action") or VERBS.get(name, name)
    return AuditRecord(
        request.tenant.pk,
        action,
        _type(view),
        _id(view, payload),
        identity.user.pk,
        request.on_behalf_of,
        before=_without(note.get("before"), hidden_names) if action in ("update", "delete") else None,
        after=payload if action in ("create", "update") else None,
    )


def _without(payload: Any, hidden_names: Collection[str]) -> JsonObject:
    return (
        {name: value for name, value in payload.items() if name not in hidden_names}
        if isinstance(payload, Mapping)
        else {}
    )


def _type(view: Any) -> str:
    audit_type: str = getattr(view, "audit_type", "")
    model = getattr(view, "model", None)
    return audit_type or (str(model._meta.verbose_name).replace(" ", "_") if model else "account")


def _id(view: Any, payload: Mapping[str, Any]) -> str:
    key = getattr(view, "lookup_url_kwarg", None) or getattr(view, "lookup_field", "pk")
    resource_id = view.kwargs.get(key) or payload.get("id") or payload.get("key_id") or payload.get("name") or ""
    return str(resource_id)
