"""Engines that are alive, and those that died."""

from django.db import models
from django.db.models.functions import Now


class Engine(models.Model):
    """One heartbeat row per engine process: the lease of all the runs that it owns.

    `lock_key` is the session advisory lock that it holds while it lives, so that its death shows at once.
    """

    owner = models.CharField(primary_key=True, max_length=64)
    lock_key = models.BigIntegerField()
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    worker = models.CharField(
        max_length=32, default="", db_default="", help_text="The life of the worker whose process it is."
    )
    solitary = models.BooleanField(default=False, db_default=False, help_text="It runs one suspect at a time.")
    slots = models.PositiveIntegerField()
    running = models.PositiveIntegerField(default=0)
    draining = models.BooleanField(default=False)
    started_at = models.DateTimeField(db_default=Now())
    locked_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.owner


class EngineDeath(models.Model):
    """An engine that was found dead: many of them at a time are a storm (engine/sql/lease.sql)."""

    owner = models.CharField(max_length=64)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.owner} at {self.at:%H:%M:%S}"
