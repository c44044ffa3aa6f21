"""The provider keys of an execution: its team's own, and over them those that it was started with.

They are stored apart from the run, which people may read, and only the runs of its agents use them.
"""

from typing import TYPE_CHECKING
from uuid import UUID

from agents.llm.model_choice import lends_keys
from agents.loop.agent_program import KIND as AGENT_RUN
from governance import vault
from orchestration.models import FINAL, Run
from teams.models import ExecutionKeys, Team

if TYPE_CHECKING:
    from orchestration.program.run_info import RunInfo


def seal(keys: dict[str, str]) -> str:
    """{service: key}, encrypted; "" for none."""
    return vault.encrypt({vault.provider_name(name): key for name, key in keys.items()}) if keys else ""


def store_keys(team: Team, run_id: UUID, own_keys: dict[str, str]) -> None:
    """Store the keys of an execution that begins, and delete those of the tenant's finished ones."""
    rows = ExecutionKeys.objects.for_tenant(team.tenant_id)
    finished_runs = Run.objects.for_tenant(team.tenant_id).filter(status__in=FINAL, pk__in=rows.values("run_id"))
    rows.filter(run_id__in=list(finished_runs.values_list("pk", flat=True))).delete()
    keys = (vault.decrypt(team.sealed) or {}) | {vault.provider_name(name): key for name, key in own_keys.items()}
    if keys:
        ExecutionKeys.all_tenants.create(tenant_id=team.tenant_id, run_id=run_id, sealed=vault.encrypt(keys))


@lends_keys
def find_key(run: "RunInfo", provider: str) -> str | None:
    """The execution's key for this provider; None for runs that are not of one of its agents."""
    if run.kind != AGENT_RUN or run.parent_id is None or "team_id" not in run.input:
        return None
    row = ExecutionKeys.objects.for_tenant(run.tenant_id).filter(run_id=run.parent_id).first()
    keys: dict[str, str] = vault.decrypt(row.sealed) if row else {}
    return keys.get(provider)
