"""The scheduler: Celery beat that writes its heartbeat and makes the folder of its schedule file."""

import logging
from pathlib import Path
from typing import Any

import redis
from celery.beat import PersistentScheduler

from config.env import BadSetting
from config.processes import scheduler_heartbeat

log = logging.getLogger(__name__)


class Scheduler(PersistentScheduler):
    """Celery beat's own scheduler; each look at the clock is a sign of life."""

    def setup_schedule(self) -> None:
        """Open the clock's file, in a folder that is made where it is missing."""
        folder = Path(self.schedule_filename).parent  # type: ignore[attr-defined]  # its stub leaves it out
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BadSetting("DATA_DIR", f"cannot make {folder} ({fault.strerror}); name a folder of yours") from None
        super().setup_schedule()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do what is due; the seconds until the next look."""
        delay: float = super().tick(*args, **kwargs)
        try:
            scheduler_heartbeat.beat()
        except (redis.RedisError, OSError) as fault:  # /readyz sees by itself that Redis is away
            log.warning("The scheduler's heartbeat cannot be written: %s", fault)
        return delay
