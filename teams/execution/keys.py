"""The provider keys of an execution: its team's own, and over them those that it was started with.

They are kept apart from the run, which people may read, and are lent to the runs of its agents only.
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


def give(team: Team, run_id: UUID, own: dict[str, str]) -> None:
    """Keep the keys of an execution that begins, and forget those of the tenant's finished ones."""
    kept = ExecutionKeys.objects.for_tenant(team.tenant_id)
    over = Run.objects.for_tenant(team.tenant_id).filter(status__in=FINAL, pk__in=kept.values("run_id"))
    kept.filter(run_id__in=list(over.values_list("pk", flat=True))).delete()
    keys = (vault.decrypt(team.sealed) or {}) | {vault.provider_name(name): key for name, key in own.items()}
    if keys:
        ExecutionKeys.all_tenants.create(tenant_id=team.tenant_id, run_id=run_id, sealed=vault.encrypt(keys))


@lends_keys
def lend(run: "RunInfo", provider: str) -> str | None:
    """The execution's key for this provider, for a run of one of its agents."""
    if run.kind != AGENT_RUN or run.parent_id is None or "team_id" not in run.input:
        return None
    row = ExecutionKeys.objects.for_tenant(run.tenant_id).filter(run_id=run.parent_id).first()
    keys: dict[str, str] = vault.decrypt(row.sealed) if row else {}
    return keys.get(provider)
