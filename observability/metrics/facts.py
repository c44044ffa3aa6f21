"""What rollups count, as SQL: rows of (tenant_id, hour, measure, label, n, total), made of events, of the runs and
steps that they end, and of policies' decisions (seed 000 §10).

A measure's total is what it measured: milliseconds, micro-USD or tokens. Durations are counted by size as well, in
buckets that grow by a twentieth: their sums over any hours give percentiles that are at most a twentieth too high.

Whatever is counted is looked up row by row (LATERAL … OFFSET 0): the planner knows nothing about an outbox that is
empty at one moment and full at the next, and would read whole tables.
"""

GROWTH = 1.05
MIN_MS, MOST = 0.01, 1e15  # of what is measured; what is beyond is taken for that
# What the product does on its own account is no work of the tenant.
OWN_KINDS = ("callback", "notification", "apply")
MAX_LABEL = 128
_OWN = ", ".join(f"'{kind}'" for kind in OWN_KINDS)
# Of a run that is over or not: `ending` and `hour` are those of the event that ended it; one that goes on is of now.
_RUN = """r.id, r.tenant_id, r.status, r.kind, r.subject_id, r.app_id, r.mode, r.cost_micro, r.llm_calls,
    num_nonnulls(r.cost_limit_micro, r.calls_limit, r.latency_limit_ms) > 0 AS limited,
    coalesce(extract(epoch FROM r.finished_at - coalesce(r.started_at, r.created_at)) * 1000, 0)::float8 AS ms"""
_OPEN = f"SELECT {_RUN}, now() AS hour, NULL::jsonb AS ending FROM orchestration_run r WHERE {{}}"
# By the three indexes that know them (orchestration/models/run.py).
GOING_ON = "\nUNION ALL\n".join(
    _OPEN.format(f"{where} AND r.kind NOT IN ({_OWN}) AND r.tenant_id = ANY(%(tenants)s)")
    for where in (
        "r.owner IS NULL AND r.due_at IS NOT NULL",
        "r.owner IS NOT NULL",
        "r.owner IS NULL AND r.due_at IS NULL AND r.status IN ('pending', 'running', 'paused')",
    )
)


def looked_up(table: str, alias: str, where: str) -> str:
    """A join to the rows of the table that the left side names, by index."""
    return f"CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {where} OFFSET 0) AS {alias}"


EVENT = looked_up("orchestration_runevent", "e", "run_id = u.run_id AND seq = u.seq")


def ended(outbox: str) -> str:
    """The runs whose ends are in the outbox, or in what was taken from it."""
    return f"""
    SELECT {_RUN}, date_trunc('hour', e.ts, 'UTC') AS hour, e.payload AS ending
    FROM {outbox} u {EVENT} {looked_up("orchestration_run", "r", "id = u.run_id")}
    WHERE u.ends AND r.kind NOT IN ({_OWN})"""


def _number(name: str) -> str:
    """A number of the payload; 0 when it is missing or none."""
    given = f"(payload->>'{name}')::numeric"
    return f"CASE jsonb_typeof(payload->'{name}') WHEN 'number' THEN least(greatest({given}, 0), {MOST:.0f}) ELSE 0 END"


def _nested(name: str) -> str:
    return _number(name).replace("payload->", "payload->'usage'->")


def _bucket(ms: str) -> str:
    return f"ceil(ln(least(greatest(({ms})::float8, {MIN_MS}), {MOST})) / ln({GROWTH}::float8))::int::text"


def _facts(rows: str, *facts: tuple[str, str, str, str]) -> str:
    """One row for each fact (measure, label, total, when) that holds of each of the rows."""
    values = ", ".join(f"('{measure}', {label}, ({total})::float8, {holds})" for measure, label, total, holds in facts)
    return (
        f"SELECT tenant_id, hour, f.measure, left(coalesce(f.label, ''), {MAX_LABEL}) AS label, 1 AS n, f.total\n"
        f"FROM {rows} CROSS JOIN LATERAL (VALUES {values}) AS f (measure, label, total, holds) WHERE f.holds"
    )


# Of runs that are over or not, by what they are; of those that are over, what became of them.
RUNS = _facts(
    "{}",
    ("run", "status", "ms", "true"),
    ("run.workflow", "subject_id", "0", "kind = 'workflow'"),
    ("run.workflow.completed", "subject_id", "0", "kind = 'workflow' AND status = 'completed'"),
    ("run.workflow.failed", "subject_id", "0", "kind = 'workflow' AND status = 'failed'"),
    ("run.app", "app_id", "0", "app_id <> ''"),
    ("run.mode", "mode", "0", "true"),
    ("run.kind", "kind", "0", "true"),
    ("run.limited", "''", "0", "limited"),
    ("run.ms", _bucket("ms"), "0", "status = 'completed'"),
    ("run.cost", "''", "cost_micro", "status = 'completed'"),
    ("run.calls", "''", "llm_calls", "status = 'completed'"),
    ("run.failed", "ending->>'error_type'", "0", "status = 'failed'"),
)
# Waits take as long as somebody else likes, and notes to oneself are no work.
NO_STEPS = "('timer', 'event', 'approval', 'child', 'note', 'intent', 'outcome')"
STEPS = _facts(
    f"""(SELECT s.tenant_id, date_trunc('hour', s.finished_at, 'UTC') AS hour, s.type,
        (extract(epoch FROM s.finished_at - s.started_at) * 1000)::float8 AS ms
        FROM ended {looked_up("orchestration_step", "s", "run_id = ended.id")}
        WHERE s.finished_at IS NOT NULL AND s.status IN ('completed', 'failed')
            AND s.type NOT IN {NO_STEPS}) AS step""",
    ("step", "type", "ms", "true"),
    ("step.ms", _bucket("ms"), "0", "true"),
)
_LATENCY, _COST = _number("latency_ms"), f"10000 * {_number('estimated_cost_cents')}"
CALLS = _facts(
    "(SELECT * FROM event WHERE kind = 'llm_call') AS call",
    ("llm", "''", _LATENCY, "true"),
    ("llm.ms", _bucket(f"({_LATENCY})"), "0", "true"),
    ("llm.provider", "payload->>'provider'", _COST, "true"),
    ("llm.model", "payload->>'model'", _COST, "true"),
    ("llm.agent", "payload->>'agent_id'", _COST, "true"),
    ("llm.prompt", "''", _nested("promptTokens"), "true"),
    ("llm.completion", "''", _nested("completionTokens"), "true"),
    ("llm.failed", "payload->>'error_type'", "0", "payload ? 'error'"),
)
TOOLS = _facts(
    "(SELECT * FROM event WHERE kind = 'tool_call') AS call",
    ("tool", "payload->>'tool_id'", _number("duration_ms"), "true"),
    ("tool.risk", "payload->>'risk_level'", "0", "true"),
    ("tool.failed", "payload->>'error_type'", "0", "payload ? 'error'"),
)
OTHERS = _facts(
    "event",
    ("budget", "payload->>'type'", "0", "kind = 'budget_exceeded'"),
    ("paused", "''", "0", "kind = 'run_paused'"),
)
# A decision is about the scope of the policy that decided, else that of what was to be done.
DECISIONS = _facts(
    f"""(SELECT d.tenant_id, date_trunc('hour', d.created_at, 'UTC') AS hour, d.result,
        coalesce(p.scope, CASE d.action WHEN 'tool_call' THEN 'tool' WHEN 'agent_call' THEN 'agent'
            WHEN 'apply' THEN 'tool' ELSE 'workflow' END) AS scope
        FROM taken u {looked_up("governance_policydecision", "d", "id = u.decision_id")}
        LEFT JOIN governance_policy p ON p.id = d.policy_id) AS decision""",
    ("policy", "result", "0", "true"),
    ("policy.scope", "scope", "0", "true"),
)
