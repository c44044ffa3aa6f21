"""Audit records of changes in Django's admin."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.dispatch import receiver
from django.forms import BaseFormSet, BaseModelForm
from django.http import HttpRequest

from accounts.models import Membership, Tenant, User
from config.values.json_types import JsonObject
from governance.audit.audit_log import AuditRecord, append_record, record_failed_login

HIDDEN_FIELDS = frozenset({"password", "stamp"})
API_NAMES = {"key": "id"}  # as the API calls it; what is named a key is masked
States = tuple[JsonObject, JsonObject]  # before, after


class AuditedAdmin(admin.ModelAdmin):
    """A page of the admin that puts on record what was which before a change, and is now; of a deleted row what the
    page has shown.
    """

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Iterable[BaseFormSet] | None, add: bool = False
    ) -> list[JsonObject]:
        """Django's own message; on the way, what has changed is noted for the record."""
        request.audit_states = _states(form, formsets or ())  # type: ignore[attr-defined]
        message: list[JsonObject] = super().construct_change_message(request, form, formsets, add)  # type: ignore[arg-type]
        return message

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Django's own entry, and the record's."""
        _append(request, "create", obj, *request.audit_states)  # type: ignore[attr-defined]
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Django's own entry, and the record's if anything has changed."""
        before, after = request.audit_states  # type: ignore[attr-defined]
        if before or after:
            _append(request, "update", obj, before, after)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Django's own entries, and the record's."""
        for row in queryset:
            visible_names = set(flatten_fieldsets(self.get_fieldsets(request, row))) - HIDDEN_FIELDS
            values = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
            before = {API_NAMES.get(name, name): value for name, value in values.items() if name in visible_names}
            _append(request, "delete", row, before, {})
        return super().log_deletions(request, queryset)


def audit_all_pages() -> None:
    """Turn every registered page of the admin into an AuditedAdmin."""
    for model, page in list(admin.site._registry.items()):
        admin.site.unregister(model)
        admin.site.register(model, type(f"Audited{type(page).__name__}", (AuditedAdmin, type(page)), {}))


@receiver(user_logged_in)
def audit_login(request: HttpRequest, user: User, **_: Any) -> None:
    """An operator has come."""
    if _is_admin(request):
        append_record(AuditRecord(_tenant_of(user), "login", "session", "", user.pk))


@receiver(user_logged_out)
def audit_logout(request: HttpRequest, user: User | None, **_: Any) -> None:
    """An operator has gone."""
    if _is_admin(request) and user is not None:
        append_record(AuditRecord(_tenant_of(user), "logout", "session", "", user.pk))


@receiver(user_login_failed)
def audit_failed_login(credentials: JsonObject, request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody has tried to."""
    if _is_admin(request):
        record_failed_login(str(credentials.get("username") or credentials.get("email") or ""))


def _is_admin(request: HttpRequest | None) -> bool:
    return request is not None and request.path.startswith("/admin")


def _append(request: HttpRequest, action: str, row: Model, before: JsonObject, after: JsonObject) -> None:
    """An entry in the log of the row's tenant, and of the one that it has left."""
    kind = str(row._meta.verbose_name).replace(" ", "_")
    state_before, state_after = before if action != "create" else None, after if action != "delete" else None
    previous_tenants = {value for name, value in before.items() if name.rpartition(".")[2] == "tenant" and value}
    tenant_id = _tenant_of(row)
    for owner_id in sorted(previous_tenants | {tenant_id} if tenant_id or not previous_tenants else previous_tenants):
        append_record(
            AuditRecord(owner_id, action, kind, str(row.pk), request.user.pk, before=state_before, after=state_after)
        )


def _tenant_of(row: Model) -> str | None:
    if isinstance(row, Tenant):
        return row.pk
    if isinstance(row, User):
        member = Membership.all_tenants.filter(user=row).first()
        return member.tenant_id if member else None
    return getattr(row, "tenant_id", None)


def _states(form: Any, formsets: Iterable[BaseFormSet]) -> States:
    """The fields that the page has changed, those of rows that are edited with it under their kind."""
    before, after = _fields(form, form.changed_data)
    for formset in formsets:
        deleted_forms = getattr(formset, "deleted_forms", [])
        for part in (part for part in formset.forms if part.has_changed()):
            kind = str(part.instance._meta.verbose_name).replace(" ", "_")
            own_before, own_after = _fields(part, part.initial if part in deleted_forms else part.changed_data)
            before |= {f"{kind}.{name}": value for name, value in own_before.items()}
            after |= {f"{kind}.{name}": None if part in deleted_forms else value for name, value in own_after.items()}
    return before, after


def _fields(form: Any, names: Iterable[str]) -> States:
    if not isinstance(form, BaseModelForm):  # a new password
        return {}, dict.fromkeys(names, "***")
    meta = form.instance._meta
    field_names = {field.name for field in (*meta.concrete_fields, *meta.many_to_many)} - HIDDEN_FIELDS
    api_names = {name: API_NAMES.get(name, name) for name in names if name in field_names}
    after = {api_name: _plain(form.cleaned_data.get(name)) for name, api_name in api_names.items()}
    return {api_name: _plain(form.initial.get(name)) for name, api_name in api_names.items()}, after


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, Iterable) and not isinstance(value, str | dict):
        return [_plain(one) for one in value]
    return value
