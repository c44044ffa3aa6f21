"""The runs of all tenants that have come to an end, for `/metrics`: counted by the rollups."""

from prometheus_client.metrics_core import Metric

from accounts.tenancy.tenant_model import everywhere
from config.processes.metrics import at_scrape
from observability.metrics.queries import fetch_all
from orchestration.models import FINAL


@at_scrape
def run_families() -> list[Metric]:
    """The number of these runs, by status."""
    states = sorted(status.value for status in FINAL)
    with everywhere():
        counts = dict.fromkeys(states, 0) | {
            str(status): int(n) for status, n in fetch_all("count_runs", statuses=states)
        }
    family = Metric("regente_runs_ended", "Runs that are over, counted within seconds.", "counter")
    for status, n in counts.items():
        family.add_sample("regente_runs_ended_total", {"status": status}, n)
    return [family]
