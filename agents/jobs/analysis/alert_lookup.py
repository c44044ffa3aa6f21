"""Where the app above registers how alerts of our own are looked up, so that jobs do not import it."""

from collections.abc import Callable

from config.values.json_types import JsonObject

# (tenant id, the alert's number or id, minutes) → {alert, readings, alerts, events}; {} when there is no such alert
Lookup = Callable[[str, int | str, int], JsonObject]

_sources: list[Lookup] = []


def alert_source(lookup: Lookup) -> Lookup:
    """Register a function that looks up alerts."""
    _sources.append(lookup)
    return lookup


def find_alert(tenant_id: str, id: int | str, window_minutes: int) -> JsonObject:
    """The alert with the readings, alerts and events of so many minutes before it; {} when no source has it."""
    results = (lookup(tenant_id, id, window_minutes) for lookup in _sources)
    return next((result for result in results if result), {})
