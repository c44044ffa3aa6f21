"""The policies that a tenant is under, compiled once per change: the tenant's own and the platform's."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from config.database import prepared_statements
from config.values.json_types import JsonObject
from governance.models import Policy, Scope
from governance.policies.rule_parser import BadRule, read_rule
from governance.policies.rules import ActionContext, Rule, explain

log = logging.getLogger(__name__)
STRICTNESS = {"deny": 0, "require_approval": 1, "modify": 2, "allow": 3}
MAX_CACHED_TENANTS = 1_000
UNNAMED_SCOPES = (Scope.GLOBAL, Scope.TENANT)  # a tenant's own rules are the only ones of these scopes that it is under


@dataclass(frozen=True)
class CompiledPolicy:
    """A policy with its parsed rule; None when it cannot be parsed, which denies."""

    id: UUID
    name: str
    version: int
    scope: str
    scope_id: str
    priority: int
    shadow: bool
    rule: Rule | None

    @property
    def effect(self) -> str:
        return self.rule.effect if self.rule else "deny"

    def applies(self, action_context: ActionContext) -> bool:
        """Whether its condition holds; one that cannot be evaluated does."""
        if self.rule is None:
            return True
        try:
            return self.rule.applies(action_context)
        except Exception:  # fail closed: whatever goes wrong in a rule must not let an action through
            log.exception("policy %s cannot be evaluated; it denies", self.id)
            return True

    def reason(self, action_context: ActionContext) -> str:
        """The values on which it applies, as a sentence."""
        return explain(self.rule, action_context) if self.rule else "its rule cannot be read"

    def as_match(self, action_context: ActionContext) -> JsonObject:
        """The policy as decisions list it: {policy_id, name, version, effect, because}."""
        return {
            "policy_id": str(self.id),
            "name": self.name,
            "version": self.version,
            "effect": self.effect,
            "because": self.reason(action_context),
        }


class Ruleset:
    """All enabled policies that a tenant is under, by what they are about; `stamp` changes when one of them does."""

    def __init__(self, stamp: str, policies: Iterable[CompiledPolicy]) -> None:
        self.stamp = stamp
        self.by_scope: dict[tuple[str, str], list[CompiledPolicy]] = {}
        for one in sorted(policies, key=lambda one: (one.priority, STRICTNESS[one.effect])):
            self.by_scope.setdefault((one.scope, "" if one.scope in UNNAMED_SCOPES else one.scope_id), []).append(one)

    def applicable(self, action_context: ActionContext) -> list[CompiledPolicy]:
        """The policies whose scope the action is in and whose condition holds, in the order in which they decide."""
        matches: list[CompiledPolicy] = []
        for scope in Scope.values:
            key = (scope, "" if scope in UNNAMED_SCOPES else str(action_context.context.get(f"{scope}_id") or "-"))
            matches += [one for one in self.by_scope.get(key, ()) if one.applies(action_context)]
        return sorted(matches, key=lambda one: (one.priority, STRICTNESS[one.effect]))


# Of all of them, so that any change of any shows: the ids with their versions, in one number.
STAMP = """
SELECT count(*) || ':' || coalesce(bit_xor(hashtextextended(id::text, version)), 0) FROM governance_policy
WHERE (tenant_id = %s OR tenant_id IS NULL) AND enabled
"""
_cache: dict[str, Ruleset] = {}


def rules_of(tenant_id: str, stamp: str | None = None) -> Ruleset:
    """The enabled policies, global ones included, as the database has them now; compiled once per change.

    `stamp`: their STAMP, when the caller has just read it.
    """
    if stamp is None:
        row = prepared_statements.execute(STAMP, [tenant_id])
        stamp = str(row[0]) if row else ""
    ruleset = _cache.get(tenant_id)
    if ruleset is not None and ruleset.stamp == stamp:
        return ruleset
    if len(_cache) >= MAX_CACHED_TENANTS:
        _cache.pop(next(iter(_cache)))
    ruleset = _cache[tenant_id] = Ruleset(stamp, [compile_policy(row) for row in enabled_policies(tenant_id)])
    return ruleset


def enabled_policies(tenant_id: str) -> list[Policy]:
    """The tenant's and the global ones."""
    rows = [*Policy.all_tenants.filter(tenant_id=None, scope=Scope.GLOBAL, enabled=True)]
    return [*rows, *Policy.objects.for_tenant(tenant_id).filter(enabled=True)]


def compile_policy(policy: Policy) -> CompiledPolicy:
    """The policy with its parsed rule; one that cannot be parsed denies."""
    rule: Rule | None
    try:
        rule = read_rule(policy.rule_expr)
    except BadRule as fault:
        log.error("policy %s cannot be read, so it denies: %s", policy.pk, fault)
        rule = None
    return CompiledPolicy(
        policy.pk,
        policy.name,
        policy.version,
        policy.scope,
        policy.scope_id,
        policy.priority,
        policy.shadow,
        rule,
    )
