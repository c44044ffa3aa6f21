"""The durable engine's tables.

PostgreSQL holds every state; journal.py has the hot SQL, engine.py the only status writers.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.tenancy import TenantModel


class Status(models.TextChoices):
    """The engine's states (RULINGS §1); the last three are final and never overwritten."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


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
    result = models.JSONField(null=True)
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
        null=True, default=None, help_text="Claimable from then on; null = waits to be poked."
    )
    owner = models.CharField(max_length=64, null=True)
    attempt = models.PositiveIntegerField(default=0, db_default=0)
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Workers that died with it since its last finished step."
    )
    held_against = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Those of them that it may have caused (claims.SWEEP)."
    )
    poked = models.BooleanField(
        default=False, db_default=False, help_text="Something for the owner to look at: a cancel, an event, a child."
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
        # run_queue and run_task_queue, by tenant and due_at less 30 s per level of priority, are in the migrations.
        indexes = [
            models.Index(fields=["tenant", "id"], name="run_of_tenant"),
            models.Index(fields=["subject_id", "id"], name="run_of_subject"),
            models.Index(fields=["owner"], name="run_leased", condition=Q(owner__isnull=False)),
            models.Index(
                fields=["tenant", "created_by"],
                name="run_task_begun",
                condition=Q(kind="task", status__in=("running", "paused")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.status})"


class Visibility(models.TextChoices):
    """Who an app is offered to; it never leaves its tenant, for its workflows are the tenant's."""

    PRIVATE = "private"
    ORG = "org"
    PUBLIC = "public"


class App(TenantModel):
    """An imported manifest: what it may touch (scopes), the workflows it names, and the actions that start them.

    `key` is the id that clients know it by. An import replaces the whole row, and so all its parts at once.
    """

    key = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PRIVATE)
    icon = models.CharField(max_length=1000, blank=True)
    owner = models.CharField(max_length=255, blank=True)
    scopes = models.JSONField(default=list, help_text="[{type: tool|memory|external, value}]")
    workflows = models.JSONField(default=list, help_text="[{alias, label, workflow_id, default_mode}]")
    actions = models.JSONField(default=list, help_text="[{id, label, workflow_alias, input_mapping}]")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="app_key")]

    def __str__(self) -> str:
        return self.key


class WorkflowType(models.TextChoices):
    """The contract's word for a workflow's form; all of them run as a graph."""

    LINEAR = "linear"
    GRAPH = "graph"
    SUBGRAPH = "subgraph"


class Workflow(TenantModel):
    """A definition of nodes and edges; each save makes a WorkflowVersion, and a run pins the one it started with."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=64, default="1.0.0", help_text="The client's own label.")
    type = models.CharField(max_length=16, choices=WorkflowType, default=WorkflowType.LINEAR)
    description = models.TextField(blank=True)
    definition = models.JSONField()
    revision = models.PositiveIntegerField(default=1, help_text="Number of the latest WorkflowVersion.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="workflow_of_tenant")]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(TenantModel):
    """What a workflow said at one save; never changed, and kept after the workflow is deleted."""

    workflow_id = models.UUIDField()
    revision = models.PositiveIntegerField()
    definition = models.JSONField()
    type = models.CharField(max_length=16)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workflow_id", "revision"], name="workflow_revision")]

    def __str__(self) -> str:
        return f"{self.workflow_id} r{self.revision}"


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
    output = models.JSONField(null=True)
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


class Approval(TenantModel):
    """A question to a person that a run waits for; decided once. One about a call is bound to it by `digest`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="approvals", db_constraint=False)
    step = models.CharField(max_length=255)
    node_id = models.CharField(max_length=255)
    message = models.TextField(blank=True)
    role = models.CharField(max_length=16, default="developer", help_text="The least role that may decide.")
    four_eyes = models.BooleanField(default=False, db_default=False, help_text="Not whoever started the run.")
    expires_at = models.DateTimeField(null=True)
    kind = models.CharField(max_length=16, default="gate", db_default="gate")
    tool_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    arguments = models.JSONField(null=True, help_text="Those of the call that is asked about.")
    digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    policy_id = models.UUIDField(null=True, help_text="The policy that asks.")
    approved = models.BooleanField(null=True)
    comment = models.TextField(blank=True)
    edited = models.JSONField(null=True, help_text="The arguments that were approved instead.")
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    told = models.BooleanField(default=False, db_default=False, help_text="The decision is in the run's events.")
    executed_at = models.DateTimeField(null=True, help_text="When the approved call had been made.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="approval_once")]
        indexes = [
            models.Index(
                fields=["tenant", "created_at"], condition=Q(approved__isnull=True), name="approval_open_of_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"approval of {self.run_id}:{self.step}"


class ChangeStatus(models.TextChoices):
    """applying: an apply is at it; outside that is still staged."""

    STAGED = "staged"
    APPLYING = "applying"
    APPLIED = "applied"
    DISCARDED = "discarded"


class Change(TenantModel):
    """An effect that a draft run has staged: the checked call, what it would change, and what it rests on."""

    id = models.UUIDField(primary_key=True, editable=False)  # made of the run and the step: a replay stages it once
    run = models.ForeignKey(Run, models.CASCADE, related_name="changes", db_constraint=False)
    position = models.PositiveIntegerField(help_text="Order of the calls.")
    step = models.CharField(max_length=255)
    tool_id = models.CharField(max_length=128)
    agent_id = models.CharField(max_length=128, blank=True)
    kind = models.CharField(max_length=16, help_text="file, memory, database, or how the tool works: http, remote, …")
    target = models.CharField(max_length=2000)
    arguments = models.JSONField(help_text="The call's checked input.")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    base = models.JSONField(default=dict, help_text="What must not have moved when it is applied.")
    reason = models.TextField(blank=True)
    status = models.CharField(max_length=16, choices=ChangeStatus, default=ChangeStatus.STAGED)
    error = models.TextField(blank=True, help_text="Why the last try to apply it failed.")
    outcome = models.JSONField(null=True, help_text="What the tool answered when it was applied.")
    apply_run_id = models.UUIDField(null=True)
    settled_by = models.UUIDField(null=True)
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="change_once")]
        indexes = [models.Index(fields=["tenant", "run", "position"], name="change_of_run")]

    def __str__(self) -> str:
        return f"{self.kind} {self.target} ({self.status})"


class Engine(models.Model):
    """One heartbeat row per engine process: the lease of all the runs that it owns.

    `lock_key` is the session advisory lock that it holds while it lives, so that its death shows at once.
    """

    owner = models.CharField(primary_key=True, max_length=64)
    lock_key = models.BigIntegerField()
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    slots = models.PositiveIntegerField()
    running = models.PositiveIntegerField(default=0)
    draining = models.BooleanField(default=False)
    started_at = models.DateTimeField(db_default=Now())
    locked_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.owner


class EngineDeath(models.Model):
    """An engine that was found dead: what many of them at a time tell of a storm (claims.SWEEP)."""

    owner = models.CharField(max_length=64)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.owner} at {self.at:%H:%M:%S}"
