"""What operators do in Django's admin, on the same record as what the API does."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import Membership, Tenant, User
from config.admin import changed
from governance.audit import Deed, record, record_failed_login


@receiver(changed)
def keep(request: HttpRequest, action: str, row: Model, before: Any, after: Any, **_: Any) -> None:
    """An entry in the log of the row's tenant, by the operator."""
    kind = str(row._meta.verbose_name).replace(" ", "_")
    was, made = before if action != "create" else None, after if action != "delete" else None
    record(Deed(_tenant_of(row), action, kind, str(row.pk), request.user.pk, before=was, after=made))


@receiver(user_logged_in)
def keep_login(request: HttpRequest, user: User, **_: Any) -> None:
    """An operator has come."""
    if _is_admin(request):
        record(Deed(_tenant_of(user), "login", "session", "", user.pk))


@receiver(user_logged_out)
def keep_logout(request: HttpRequest, user: User | None, **_: Any) -> None:
    """An operator has gone."""
    if _is_admin(request) and user is not None:
        record(Deed(_tenant_of(user), "logout", "session", "", user.pk))


@receiver(user_login_failed)
def keep_failed_login(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody has tried to."""
    if _is_admin(request):
        record_failed_login(str(credentials.get("username") or credentials.get("email") or ""))


def _is_admin(request: HttpRequest | None) -> bool:
    return request is not None and request.path.startswith("/admin")


def _tenant_of(row: Model) -> str | None:
    if isinstance(row, Tenant):
        return row.pk
    if isinstance(row, User):
        member = Membership.all_tenants.filter(user=row).first()
        return member.tenant_id if member else None
    return getattr(row, "tenant_id", None)
