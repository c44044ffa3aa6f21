"""One run by its id, as often as its client polls: by hand, since the ORM needs four times as long to say the same."""

from typing import Any, ClassVar
from uuid import UUID

from django.db import connection

from config.database import prepared_statements
from config.http.viewsets import TenantViewSet
from orchestration.kinds import private_kinds
from orchestration.models import Run
from orchestration.models.visibility import VISIBLE

FIELDS = Run._meta.concrete_fields
NAMES = [field.attname for field in FIELDS]
READ = [(at, field.from_db_value) for at, field in enumerate(FIELDS) if hasattr(field, "from_db_value")]
FIND = f"""
SELECT {", ".join(field.column for field in FIELDS)} FROM orchestration_run
WHERE id = %s AND tenant_id = %s AND {VISIBLE} AND %s IN ('', kind)
"""


def find_run(model: type[Run], tenant_id: str, id: str, user_id: UUID | None, kind: str = "") -> Run | None:
    """The tenant's run with this id, of this kind if one is named, as this model (Run or a proxy of it); None when
    there is none that the user may see.
    """
    try:
        run_id = UUID(id)
    except ValueError:
        return None
    row = prepared_statements.execute(FIND, [run_id, tenant_id, private_kinds(), user_id, kind])
    if row is None:
        return None
    values: list[Any] = list(row)
    for at, read in READ:
        values[at] = read(values[at], None, connection)
    return model.from_db("default", NAMES, values)


class OneRun(TenantViewSet):
    """Views whose object is a run: of any kind, or of one."""

    model: ClassVar[type[Run]] = Run
    kind: ClassVar[str] = ""

    def get_object(self) -> Run:
        id = self.kwargs[self.lookup_url_kwarg or self.lookup_field]
        run = find_run(self.model, self.request.tenant_id, id, self.request.caller_id, self.kind)
        if run is None:
            raise self.not_found(**{self.lookup_field: id})
        self.check_object_permissions(self.request, run)
        return run
