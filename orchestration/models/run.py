"""Runs, and what is kept of them: steps, events, what was sent to them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel
from config.database.ordered_json import OrderedJSONField
from orchestration.models.visibility import RunObjects


class Status(models.TextChoices):
    """The engine's states (RULINGS §1); the last three are final and never overwritten."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
# The order of all lists of runs. By the id alone PostgreSQL might walk the primary key, past other tenants' rows.
NEWEST_FIRST = ("-created_at", "-id")


class Mode(models.TextChoices):
    """Whether tools with side effects act at once (auto) or are staged for review (draft)."""

    DRAFT = "draft"
    AUTO = "auto"


class Run(TenantModel):
    """One piece of durable work of any kind; the row is its queue entry and its truth.

    It waits for an engine while `owner` is null and `due_at` is set; `attempt` grows by one with each claim and fences
    every write of the engine that holds it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Hot table: rows come and go by the thousand a second, tenants are never deleted; a key check per insert buys
    # nothing.
    tenant = models.ForeignKey(
        "accounts.Tenant", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=32)
    subject_id = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="What is run: a workflow, a team, an agent."
    )
    subject_version = models.PositiveIntegerField(null=True, help_text="The version of it that this run is pinned to.")
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.AUTO, db_default=Mode.AUTO)
    input = models.JSONField(default=dict)
    result = OrderedJSONField(null=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING, db_default=Status.PENDING)
    failure_reason = models.CharField(max_length=32, blank=True, default="", db_default="")

    created_by = models.UUIDField(null=True)
    on_behalf_of = models.CharField(
        max_length=128, blank=True, default="", db_default="", help_text="The caller's own end user; grants nothing."
    )
    app_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    app_action_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    trigger = models.JSONField(null=True, help_text="{context, event} of the app's action that started it.")
    trace_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    origin = models.JSONField(null=True, help_text="{role, ip_address, user_agent, key_id}: who asked for it.")
    policy = models.JSONField(null=True, help_text="What the policies said of its start, when they said something.")
    idempotency_key = models.CharField(max_length=255, null=True)
    request_hash = models.CharField(max_length=64, blank=True, default="", db_default="")

    parent = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, related_name="children", db_constraint=False, db_index=False
    )
    parent_step = models.CharField(max_length=255, blank=True, default="", db_default="")
    depth = models.PositiveSmallIntegerField(default=0, db_default=0)

    priority = models.SmallIntegerField(
        default=0, db_default=0, help_text="-10 to 10; each level is worth 30 s of waiting."
    )
    due_at = models.DateTimeField(
        null=True, default=None, help_text="Claimable from then on; null = waits to be notified."
    )
    owner = models.CharField(max_length=64, null=True)
    attempt = models.PositiveIntegerField(default=0, db_default=0)
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Workers that died with it since its last finished step."
    )
    held_against = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Those of them at which it ran alone (claims.SWEEP)."
    )
    suspect_deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Those of them that other engines outlived."
    )
    is_notified = models.BooleanField(
        default=False, db_default=False, help_text="Something for the owner to look at: a cancel, an event, a child."
    )
    has_user_cap = models.BooleanField(
        default=False, db_default=False, help_text="Its kind limits how many runs of a user may be under way."
    )
    cancel_requested = models.BooleanField(default=False, db_default=False)

    budget_ids = ArrayField(models.BigIntegerField(), default=list, help_text="The budgets that it draws from.")
    cost_limit_micro = models.BigIntegerField(null=True, help_text="Micro-USD, this run and its children.")
    calls_limit = models.PositiveIntegerField(null=True, help_text="Model calls, this run and its children.")
    latency_limit_ms = models.PositiveIntegerField(null=True)
    deadline_at = models.DateTimeField(null=True)
    cost_micro = models.BigIntegerField(default=0, db_default=0)
    llm_calls = models.PositiveIntegerField(default=0, db_default=0)
    prompt_tokens = models.BigIntegerField(default=0, db_default=0)
    completion_tokens = models.BigIntegerField(default=0, db_default=0)

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = RunObjects()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="run_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["parent", "parent_step"], condition=Q(parent__isnull=False), name="run_child_once"
            ),
        ]
        # run_queue and run_capped_queue, by tenant and due_at less 30 s per level of priority, are in the migrations.
        indexes = [
            models.Index(fields=["tenant", "created_at", "id"], name="run_of_tenant"),
            models.Index(fields=["tenant", "subject_id", "created_at", "id"], name="run_of_subject"),
            models.Index(fields=["tenant", "status", "created_at", "id"], name="run_of_status"),
            # For the lists of jobs, tasks and executions; a workflow's run, the usual one, costs nothing here.
            models.Index(
                fields=["tenant", "kind", "created_at", "id"], name="run_of_kind", condition=~Q(kind="workflow")
            ),
            models.Index(fields=["owner"], name="run_leased", condition=Q(owner__isnull=False)),
            models.Index(fields=["due_at"], name="run_suspect", condition=Q(owner=None, suspect_deaths__gte=2)),
            models.Index(
                fields=["tenant", "kind", "created_by"],
                name="run_capped_active",
                condition=Q(has_user_cap=True, status__in=("running", "paused")),
            ),
            # What waits for nothing but a message. With run_queue and run_leased: all runs that are not over.
            models.Index(
                fields=["tenant"],
                name="run_parked",
                condition=Q(owner=None, due_at=None, status__in=("pending", "running", "paused")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.status})"


class StepStatus(models.TextChoices):
    """pending = a failed try that waits for the next one."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Step(TenantModel):
    """The journal: one row per named step of a run, written when the step ends. A replay returns its output."""

    pk = models.CompositePrimaryKey("run_id", "name")
    tenant = models.ForeignKey(
        "accounts.Tenant", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    run = models.ForeignKey(Run, models.DO_NOTHING, related_name="steps", db_constraint=False, db_index=False)
    name = models.CharField(max_length=255)
    position = models.PositiveIntegerField(help_text="Order of the starts.")
    node_id = models.CharField(max_length=255)
    type = models.CharField(max_length=32)
    status = models.CharField(max_length=16, choices=StepStatus)
    input = models.JSONField(null=True)
    output = OrderedJSONField(null=True)
    error = models.JSONField(null=True, help_text="{error, error_type}")
    tries = models.PositiveSmallIntegerField(default=1)
    retry_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.run_id}:{self.name}"


class RunEvent(TenantModel):
    """The event log of a run: gap-free `seq` from 1, appended in the transaction that made the thing true."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    tenant = models.ForeignKey(
        "accounts.Tenant", models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    run = models.ForeignKey(Run, models.DO_NOTHING, related_name="events", db_constraint=False, db_index=False)
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    step = models.CharField(max_length=255, blank=True)
    payload = models.JSONField(default=dict)
    ts = models.DateTimeField()

    class Meta:
        # Of the few that alerts count; the others need no index of their own.
        indexes = [models.Index(fields=["tenant", "ts"], name="event_over_budget", condition=Q(kind="budget_exceeded"))]

    def __str__(self) -> str:
        return f"{self.run_id}#{self.seq} {self.kind}"


class Signal(TenantModel):
    """Something sent to a run: an event of POST /runs/{id}/events. It is kept until a wait of that name takes it."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, related_name="signals", db_constraint=False)
    name = models.CharField(max_length=255)
    payload = models.JSONField(null=True)
    taken_by = models.CharField(max_length=255, blank=True, help_text="The step that took it.")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} for {self.run_id}"
