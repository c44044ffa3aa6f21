"""What the scheduler calls, and how often: tasks of the apps by their names."""

from celery.schedules import crontab

SCHEDULE = {
    "sweep": {"task": "orchestration.sweep_leases", "schedule": 5.0, "options": {"expires": 5}},
    "forget": {"task": "memory.purge_expired", "schedule": 60.0, "options": {"expires": 60}},
    "seal": {"task": "governance.seal_audit", "schedule": 5.0, "options": {"expires": 5}},
    "tidy": {"task": "agents.tidy_workspaces", "schedule": 600.0, "options": {"expires": 600}},
    "index": {"task": "memory.index", "schedule": 600.0, "options": {"expires": 600}},
    "alerts": {"task": "observability.check_alerts", "schedule": 300.0, "options": {"expires": 300}},
    "count": {"task": "observability.count", "schedule": 5.0, "options": {"expires": 5}},
    "requests": {"task": "observability.count_requests", "schedule": 60.0, "options": {"expires": 60}},
    "requests of the day": {
        "task": "observability.count_requests",
        "schedule": crontab(minute=5),
        "kwargs": {"hours": 23},
    },
    "old rollups": {"task": "observability.merge_rollups", "schedule": crontab(hour=3, minute=30)},
    "old alerts": {"task": "observability.forget_alerts", "schedule": crontab(hour=3, minute=0)},
}
