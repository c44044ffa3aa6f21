"""Pages of Django's admin on which something can be changed: what an operator changes there is told to whoever keeps
the record (governance/operators.py).
"""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.dispatch import Signal
from django.forms import BaseFormSet, BaseModelForm
from django.http import HttpRequest

changed = Signal()  # sent before or with the change: request, action (create, update, delete), row, before, after
HIDDEN = frozenset({"password", "stamp"})


class RecordedAdmin(admin.ModelAdmin):
    """Tells of each change which fields were what, and what they are now; of a deleted row what its page has shown."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Iterable[BaseFormSet] | None, add: bool = False
    ) -> list[dict[str, Any]]:
        """Django's own message; on the way, what has changed is noted for the record."""
        request.noted = _states(form, formsets or ())  # type: ignore[attr-defined]
        message: list[dict[str, Any]] = super().construct_change_message(request, form, formsets, add)  # type: ignore[arg-type]
        return message

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Django's own entry, and the record's."""
        _tell(request, "create", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Django's own entry, and the record's."""
        _tell(request, "update", obj)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Django's own entries, and the record's."""
        for row in queryset:
            shown = set(admin.utils.flatten_fieldsets(self.get_fieldsets(request, row))) - HIDDEN
            kept = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
            request.noted = {name: value for name, value in kept.items() if name in shown}, {}  # type: ignore[attr-defined]
            _tell(request, "delete", row)
        return super().log_deletions(request, queryset)


def _tell(request: HttpRequest, action: str, row: Model) -> None:
    before, after = getattr(request, "noted", ({}, {}))
    changed.send(type(row), request=request, action=action, row=row, before=before, after=after)


def _states(form: Any, formsets: Iterable[BaseFormSet]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that the page has changed, those of rows that are edited with it under their kind: before, after."""
    before, after = _fields(form)
    for part in (part for formset in formsets for part in formset.forms if part.has_changed()):
        kind = str(part.instance._meta.verbose_name).replace(" ", "_")
        own_before, own_after = _fields(part)
        before |= {f"{kind}.{name}": value for name, value in own_before.items()}
        after |= {f"{kind}.{name}": value for name, value in own_after.items()}
    return before, after


def _fields(form: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if not isinstance(form, BaseModelForm):  # a new password
        return {}, dict.fromkeys(form.changed_data, "***")
    known = {field.name for field in form.instance._meta.concrete_fields} - HIDDEN
    names = [name for name in form.changed_data if name in known]
    after = {name: _plain(form.cleaned_data.get(name)) for name in names}
    return {name: _plain(form.initial.get(name)) for name in names}, after


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value
