"""Tenancy is the default: every tenant-owned row is a TenantModel, `objects` opens only with a tenant in hand, and
PostgreSQL shows a request no other tenant's rows (isolation.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar, cast

from django.conf import settings
from django.db import connection, models, transaction

from config.database.roles import APP, OWNER, WORKER
from config.database.roles import TENANT_SETTING as SETTING

if TYPE_CHECKING:
    from accounts.models import Tenant
    from config.database.base import DatabaseWrapper
    from config.http.api_request import ApiHttpRequest

M = TypeVar("M", bound="TenantModel")
database = cast("DatabaseWrapper", connection)  # this thread's


class TenantRows(Generic[M]):
    """Gives rows of one tenant and nothing else: it has no all() or filter() in which the tenant could be forgotten."""

    def __init__(self, model: type[M]) -> None:
        self.model = model

    def for_tenant(self, tenant: "Tenant | str") -> models.QuerySet[M]:
        """The rows of this tenant (a Tenant or its id)."""
        return self.model.all_tenants.filter(tenant_id=getattr(tenant, "pk", tenant))

    def none(self) -> models.QuerySet[M]:
        """No rows: what tools that only look at a model's fields ask for."""
        return self.model.all_tenants.none()


class _Objects:
    """Descriptor: `Model.objects` is that model's TenantRows."""

    def __get__(self, row: None, model: type[M]) -> TenantRows[M]:
        return TenantRows(model)


class TenantModel(models.Model):
    """Base of every tenant-owned table. `all_tenants` is the one path past the tenant, for workers and operators; in a
    request it shows the bound tenant's rows alone, unless everywhere() is in force.
    """

    shared_rows: ClassVar[str] = ""  # SQL: rows that every tenant may read
    append_only: ClassVar[bool] = False  # rows that the product may add and never change

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, related_name="+")
    all_tenants: models.Manager[Self] = models.Manager()
    objects = _Objects()

    class Meta:
        abstract = True


# ---- whose eyes the database connection of this thread has


def connect_as(role: str) -> None:
    """From now on this process' connections work as the role: a process says so before it opens any."""
    settings.DATABASE_ROLE = role


def bind(tenant_id: str) -> None:
    """Bind the transaction at hand to the tenant."""
    database.execute_later(f"SELECT set_config('{SETTING}', %s, true)", [tenant_id])


@contextmanager
def request_scope(role: str = APP) -> Iterator[None]:
    """A transaction in which a request is answered, as this role; bound to no tenant yet."""
    nested = connection.in_atomic_block  # in tests
    with transaction.atomic():
        with _acting_as(role):
            yield
        if nested and not connection.needs_rollback:
            bind("")


def open_scope(request: "ApiHttpRequest", role: str = APP) -> None:
    """Begin the request's transaction, unless it has begun; the middleware ends it (no middleware, no transaction)."""
    scope = request.transaction_scope
    if scope is not None:
        scope.enter_context(request_scope(role))
        request.transaction_scope = None


@contextmanager
def everywhere() -> Iterator[None]:
    """See all tenants' rows for a moment: to find who logs in, what an operator asks for."""
    if database.role == APP:
        with _acting_as(WORKER):
            yield
    else:
        yield


@contextmanager
def as_owner() -> Iterator[None]:
    """Make or change tables for a moment."""
    with _acting_as(OWNER):
        yield


@contextmanager
def owner_session() -> Iterator[None]:
    """The same outside of any transaction: for what PostgreSQL does in several of its own."""
    before = database.role
    database.assume_role(OWNER)
    try:
        yield
    finally:
        database.assume_role(before)


@contextmanager
def _acting_as(role: str) -> Iterator[None]:
    before = database.role
    if role == before:
        yield
        return
    if not connection.in_atomic_block:
        with transaction.atomic(), _acting_as(role):
            yield
        return
    database.assume_role(role)
    try:
        yield
    finally:
        database.assume_role(before)
