"""What the rows start from: a migrated database, a tenant, a developer, workflows."""

import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from accounts.models import Tenant, User
from orchestration.models import Run, Workflow
from tests.bench.database import Database
from tests.bench.stack import Stack
from tests.factories import make_tenant, make_user, make_workflow

BARE_TABLE = "CREATE TABLE bench_row (id uuid PRIMARY KEY, payload jsonb NOT NULL, created_at timestamptz NOT NULL)"


@dataclass(frozen=True)
class Bench:
    """Where and how often to measure."""

    database: Database
    stack: Stack
    trials: int
    tenant: Tenant
    user: User

    def workflow(self, *nodes: dict) -> Workflow:
        """A saved workflow of these nodes in a row."""
        return make_workflow(self.tenant, *nodes)

    def noop_workflow(self) -> Workflow:
        """Three static nodes."""
        return self.workflow(*({"id": f"s{i}", "type": "static", "config": {"output": {"n": i}}} for i in range(3)))


def ready(trials: int) -> Bench:
    """A bench on the servers that DATA_DIR names, whose database must be empty: it is filled with made-up runs."""
    call_command("migrate", interactive=False, verbosity=0)
    if Run.all_tenants.exists():
        sys.exit("This database holds runs. Measure on a temporary one: make bench")
    tenant, database = make_tenant(), Database()
    database.do(BARE_TABLE)
    return Bench(
        database, Stack(database, Path(settings.DATA_DIR) / "log"), trials, tenant, make_user(tenant, "developer")
    )
