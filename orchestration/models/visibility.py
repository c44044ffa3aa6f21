"""Who may see a run: every member of its tenant; of a private kind, the user who started it and nobody else."""

from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.tenancy.tenant_model import TenantRows
from orchestration.kinds import private_kinds

if TYPE_CHECKING:
    from accounts.models import Tenant
    from orchestration.models.run import Run

# The same as SQL, for reads without the ORM; its values are private_kinds() and the user's id.
VISIBLE = "(kind <> ALL(%s::text[]) OR created_by = %s)"


def visible_to(user_id: UUID | None, prefix: str = "") -> Q:
    """The runs that this user may see; without a user those that every member may. `prefix`: the path to the run."""
    shared = ~Q(**{f"{prefix}kind__in": private_kinds()})
    return shared if user_id is None else shared | Q(**{f"{prefix}created_by": user_id})


class RunQuerySet(QuerySet["Run"]):
    """Runs, which can be narrowed to those that a user may see."""

    def visible_to(self, user_id: UUID | None) -> Self:
        """Those of them that this user may see; without a user those that every member may."""
        return self.filter(visible_to(user_id))


class TenantRuns(TenantRows["Run"]):
    """What Run.objects is."""

    def for_tenant(self, tenant: "Tenant | str") -> RunQuerySet:
        """The runs of this tenant (a Tenant or its id)."""
        return RunQuerySet(self.model).filter(tenant_id=getattr(tenant, "pk", tenant))


class RunObjects:
    """Descriptor: the TenantRuns of Run, or of a proxy of it."""

    def __get__(self, row: None, model: "type[Run]") -> TenantRuns:
        return TenantRuns(model)
