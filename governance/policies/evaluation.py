"""decide(action): what the policies of a tenant say of an action: allow, deny, require_approval, and what they modify.

The platform's rules (scope global) and the tenant's are judged apart and the stricter verdict holds, so that no tenant
loosens a global rule. Within each the lowest priority number decides, at equal numbers the strictest effect. What
cannot be evaluated is denied.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from config.database import prepared_statements
from config.errors import DomainError
from config.masking import mask
from config.values.foreign_json import write_json
from governance.models import Policy, Scope
from governance.policies.rules import BadRule, Facts, Rule, explained, read_rule

log = logging.getLogger(__name__)
STRICTNESS = {"deny": 0, "require_approval": 1, "modify": 2, "allow": 3}
RESULT = {"allow": "allowed", "deny": "denied", "require_approval": "requires_approval"}
MAX_CONTEXT = 4_000  # bytes of an input that a decision keeps
MAX_REPORTED = 20  # policies that a decision lists
TENANTS_KEPT = 1_000
WHOLE = (Scope.GLOBAL, Scope.TENANT)  # a tenant's own rules are the only ones of these scopes that it is under


class PolicyDenied(DomainError):
    """A policy forbids this operation."""

    status, code = 403, "POLICY_DENIED"
    decision: "Decision | None" = None


@dataclass(frozen=True)
class Compiled:
    """A policy that is ready to be asked. Without a rule it cannot be read, which denies."""

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
        """What it does when it applies."""
        return self.rule.effect if self.rule else "deny"

    def applies(self, facts: Facts) -> bool:
        """Whether its condition holds; one that cannot be evaluated does."""
        if self.rule is None:
            return True
        try:
            return self.rule.applies(facts)
        except Exception:  # fail closed: whatever goes wrong in a rule must not let an action through
            log.exception("policy %s cannot be evaluated; it denies", self.id)
            return True

    def told(self, facts: Facts) -> dict[str, Any]:
        """The policy as a decision lists it."""
        because = explained(self.rule, facts) if self.rule else "its rule cannot be read"
        return {
            "policy_id": str(self.id),
            "name": self.name,
            "version": self.version,
            "effect": self.effect,
            "because": because,
        }


class Ruleset:
    """All enabled policies that a tenant is under, by what they are about; `stamp` changes when one of them does."""

    def __init__(self, stamp: str, policies: Iterable[Compiled]) -> None:
        self.stamp = stamp
        self.by_scope: dict[tuple[str, str], list[Compiled]] = {}
        for one in sorted(policies, key=lambda one: (one.priority, STRICTNESS[one.effect])):
            self.by_scope.setdefault((one.scope, "" if one.scope in WHOLE else one.scope_id), []).append(one)

    def concerning(self, facts: Facts) -> list[Compiled]:
        """The policies whose scope the action is in and whose condition holds, in the order in which they decide."""
        found: list[Compiled] = []
        for scope in Scope.values:
            key = (scope, "" if scope in WHOLE else str(facts.context.get(f"{scope}_id") or "-"))
            found += [one for one in self.by_scope.get(key, ()) if one.applies(facts)]
        return sorted(found, key=lambda one: (one.priority, STRICTNESS[one.effect]))


@dataclass(frozen=True)
class Decision:
    """What holds for one action. `effect` is allow, deny or require_approval."""

    action: str
    context: dict[str, Any]
    effect: str = "allow"
    winner: dict[str, Any] | None = None
    explanation: str = "No policy applies."
    matched: tuple[dict[str, Any], ...] = ()
    shadowed: tuple[dict[str, Any], ...] = ()
    modified: dict[str, Any] = field(default_factory=dict)
    approval: dict[str, Any] = field(default_factory=dict)

    @property
    def result(self) -> str:
        """The effect in the words of events."""
        return RESULT[self.effect]

    @property
    def noteworthy(self) -> bool:
        """A policy had something to say."""
        return bool(self.matched or self.shadowed)

    def event(self) -> dict[str, Any]:
        """The payload of a policy_eval event."""
        told: dict[str, Any] = {"action": self.action, "result": self.result, "explanation": self.explanation}
        told |= {"policy_id": self.winner["policy_id"] if self.winner else None, "matched": list(self.matched)}
        return told | {
            name: part for name, part in (("shadow", list(self.shadowed)), ("modified", self.modified)) if part
        }

    def row(self) -> dict[str, Any]:
        """The fields of a PolicyDecision that come from here."""
        return {
            "action": self.action,
            "result": self.result,
            "policy_id": self.winner["policy_id"] if self.winner else None,
            "explanation": self.explanation,
            "matched": list(self.matched),
            "shadowed": list(self.shadowed),
            "modified": self.modified,
            "context": kept(self.context),
        }

    def refusal(self) -> PolicyDenied:
        """The error of a denied action."""
        winner = self.winner or {}
        refusal = PolicyDenied(self.explanation, policy_id=winner.get("policy_id"), policy=winner.get("name"))
        refusal.decision = self
        return refusal


def decide(rules: Ruleset, action: str, context: dict[str, Any]) -> Decision:
    """What these rules say of the action."""
    context = context | {"action": action}
    facts = Facts(context)
    concerned = rules.concerning(facts)
    if not concerned:
        return Decision(action, context)
    real = [one for one in concerned if not one.shadow]
    modified: dict[str, Any] = {}
    verdicts = [_verdict([one for one in real if tier(one)], modified) for tier in TIERS]
    winner = min((one for one in verdicts if one), key=lambda one: STRICTNESS[one.effect], default=None)
    return Decision(
        action,
        context,
        effect=winner.effect if winner else "allow",
        winner=winner.told(facts) if winner else None,
        explanation=_explanation(winner, real, modified, facts),
        matched=tuple(one.told(facts) for one in real[:MAX_REPORTED]),
        shadowed=tuple(one.told(facts) for one in [one for one in concerned if one.shadow][:MAX_REPORTED]),
        modified=modified,
        approval=dict(winner.rule.approval) if winner and winner.rule else {},
    )


TIERS: tuple[Callable[[Compiled], bool], ...] = (
    lambda one: one.scope == Scope.GLOBAL,
    lambda one: one.scope != Scope.GLOBAL,
)


def _verdict(applying: list[Compiled], modified: dict[str, Any]) -> Compiled | None:
    """The policy that decides, None when none does; what is modified on the way to it is noted."""
    for one in applying:
        if one.effect != "modify":
            return one
        for name, value in (one.rule.modify if one.rule else {}).items():
            tighter = name != "mode" and value < modified.get(name, value)
            if tighter or name not in modified:
                modified[name] = value
    return None


def _explanation(winner: Compiled | None, applying: list[Compiled], modified: dict[str, Any], facts: Facts) -> str:
    if winner is None:
        said = "Allowed: no policy decides." if applying else "Allowed: only shadow policies apply."
    else:
        verb = {"deny": "Denied", "require_approval": "Needs approval", "allow": "Allowed"}[winner.effect]
        where = winner.scope if not winner.scope_id else f"{winner.scope} {winner.scope_id}"
        because = explained(winner.rule, facts) if winner.rule else "its rule cannot be read"
        said = f'{verb} by the policy "{winner.name}" ({where}, priority {winner.priority}): {because}.'
        if len(applying) > 1:
            said += f" {len(applying)} policies apply."
    if modified:
        said += " Modified: " + ", ".join(f"{name} = {value}" for name, value in modified.items()) + "."
    return said


def kept(context: dict[str, Any]) -> dict[str, Any]:
    """The context as it is stored: secrets masked, a long input left out."""
    told = {name: value for name, value in context.items() if name != "input"}
    if "input" not in context:
        return told
    if len(write_json(context["input"], default=str)) > MAX_CONTEXT:
        return told | {"truncated": True}
    return told | {"input": mask(context["input"], length=None)}


# ---- the rules that a tenant is under

# Of all of them, so that any change of any shows: the ids with their versions, in one number.
STAMP = """
SELECT count(*) || ':' || coalesce(bit_xor(hashtextextended(id::text, version)), 0) FROM governance_policy
WHERE (tenant_id = %s OR tenant_id IS NULL) AND enabled
"""
_known: dict[str, Ruleset] = {}


def rules_of(tenant_id: str, stamp: str | None = None) -> Ruleset:
    """The enabled policies, global ones included, as the database has them now; compiled once per change.

    `stamp`: their STAMP, when the caller has asked for it just now.
    """
    if stamp is None:
        row = prepared_statements.execute(STAMP, [tenant_id])
        stamp = str(row[0]) if row else ""
    known = _known.get(tenant_id)
    if known is not None and known.stamp == stamp:
        return known
    if len(_known) >= TENANTS_KEPT:
        _known.pop(next(iter(_known)))
    made = _known[tenant_id] = Ruleset(stamp, [compiled(row) for row in enabled_policies(tenant_id)])
    return made


def enabled_policies(tenant_id: str) -> list[Policy]:
    """The tenant's and the global ones."""
    rows = [*Policy.all_tenants.filter(tenant_id=None, scope=Scope.GLOBAL, enabled=True)]
    return [*rows, *Policy.objects.for_tenant(tenant_id).filter(enabled=True)]


def compiled(policy: Policy) -> Compiled:
    """The policy, ready to be asked."""
    rule: Rule | None
    try:
        rule = read_rule(policy.rule_expr)
    except BadRule as fault:
        log.error("policy %s cannot be read, so it denies: %s", policy.pk, fault)
        rule = None
    return Compiled(
        policy.pk,
        policy.name,
        policy.version,
        policy.scope,
        policy.scope_id,
        policy.priority,
        policy.shadow,
        rule,
    )
