"""What `/metrics` shows of all tenants' work together: the runs that are over, as rollups have counted them."""

from django.db import connection
from prometheus_client.metrics_core import Metric

from accounts.tenancy.tenant_model import everywhere
from config.processes.metrics import at_scrape
from orchestration.models import FINAL

ENDED = (
    "SELECT label, sum(n)::bigint FROM observability_rollup WHERE measure = 'run' AND label = ANY(%s) GROUP BY label"
)


@at_scrape
def ended_families() -> list[Metric]:
    """The runs that are over, by how they ended."""
    states = sorted(status.value for status in FINAL)
    with everywhere(), connection.cursor() as cursor:
        cursor.execute(ENDED, [states])
        ended = dict.fromkeys(states, 0) | dict(cursor.fetchall())
    family = Metric("regente_runs_ended", "Runs that are over, counted within seconds.", "counter")
    for status, n in ended.items():
        family.add_sample("regente_runs_ended_total", {"status": status}, n)
    return [family]
