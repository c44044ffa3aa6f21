"""decide(): the effect of a tenant's policies on an action (allow, deny, require_approval) and what they modify.

The platform's rules (scope global) and the tenant's are judged apart and the stricter verdict holds, so that no tenant
loosens a global rule. Within each the lowest priority number decides, at equal numbers the strictest effect. What
cannot be evaluated is denied.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from config.errors import DomainError
from config.masking import mask
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject
from governance.models import Scope
from governance.policies.rules import ActionContext
from governance.policies.rulesets import STRICTNESS, CompiledPolicy, Ruleset

RESULT = {"allow": "allowed", "deny": "denied", "require_approval": "requires_approval"}
MAX_CONTEXT = 4_000  # bytes of an input that a decision keeps
MAX_REPORTED = 20  # policies that a decision lists


class PolicyDenied(DomainError):
    """A policy forbids this operation."""

    status, code = 403, "POLICY_DENIED"
    decision: "Decision | None" = None


@dataclass(frozen=True)
class Decision:
    """The decision on one action. `effect` is allow, deny or require_approval."""

    action: str
    context: JsonObject
    effect: str = "allow"
    winner: JsonObject | None = None
    explanation: str = "No policy applies."
    matches: tuple[JsonObject, ...] = ()
    shadow_matches: tuple[JsonObject, ...] = ()
    modifications: JsonObject = field(default_factory=dict)
    approval: JsonObject = field(default_factory=dict)

    @property
    def result(self) -> str:
        """The effect in the words of events."""
        return RESULT[self.effect]

    @property
    def has_matches(self) -> bool:
        """Whether a policy, or a shadow policy, applies."""
        return bool(self.matches or self.shadow_matches)

    def event(self) -> JsonObject:
        """The payload of a policy_eval event."""
        payload: JsonObject = {"action": self.action, "result": self.result, "explanation": self.explanation}
        payload |= {"policy_id": self.winner["policy_id"] if self.winner else None, "matched": list(self.matches)}
        return payload | {
            name: part
            for name, part in (("shadow", list(self.shadow_matches)), ("modified", self.modifications))
            if part
        }

    def row(self) -> JsonObject:
        """The fields of a PolicyDecision that come from here."""
        return {
            "action": self.action,
            "result": self.result,
            "policy_id": self.winner["policy_id"] if self.winner else None,
            "explanation": self.explanation,
            "matched": list(self.matches),
            "shadowed": list(self.shadow_matches),
            "modified": self.modifications,
            "context": stored_context(self.context),
        }

    def refusal(self) -> PolicyDenied:
        """The error of a denied action."""
        winner = self.winner or {}
        refusal = PolicyDenied(self.explanation, policy_id=winner.get("policy_id"), policy=winner.get("name"))
        refusal.decision = self
        return refusal


def decide(rules: Ruleset, action: str, context: JsonObject) -> Decision:
    """The decision of these rules on the action."""
    context = context | {"action": action}
    action_context = ActionContext(context)
    applicable = rules.applicable(action_context)
    if not applicable:
        return Decision(action, context)
    real = [one for one in applicable if not one.shadow]
    modifications: JsonObject = {}
    verdicts = [_verdict([one for one in real if tier(one)], modifications) for tier in TIERS]
    winner = min((one for one in verdicts if one), key=lambda one: STRICTNESS[one.effect], default=None)
    return Decision(
        action,
        context,
        effect=winner.effect if winner else "allow",
        winner=winner.as_match(action_context) if winner else None,
        explanation=_explanation(winner, real, modifications, action_context),
        matches=tuple(one.as_match(action_context) for one in real[:MAX_REPORTED]),
        shadow_matches=tuple(
            one.as_match(action_context) for one in [one for one in applicable if one.shadow][:MAX_REPORTED]
        ),
        modifications=modifications,
        approval=dict(winner.rule.approval) if winner and winner.rule else {},
    )


TIERS: tuple[Callable[[CompiledPolicy], bool], ...] = (
    lambda one: one.scope == Scope.GLOBAL,
    lambda one: one.scope != Scope.GLOBAL,
)


def _verdict(applying: list[CompiledPolicy], modifications: JsonObject) -> CompiledPolicy | None:
    """The policy that decides, None when none does; what is modified on the way to it is noted."""
    for one in applying:
        if one.effect != "modify":
            return one
        for name, value in (one.rule.modify if one.rule else {}).items():
            tighter = name != "mode" and value < modifications.get(name, value)
            if tighter or name not in modifications:
                modifications[name] = value
    return None


def _explanation(
    winner: CompiledPolicy | None,
    applying: list[CompiledPolicy],
    modifications: JsonObject,
    action_context: ActionContext,
) -> str:
    if winner is None:
        sentence = "Allowed: no policy decides." if applying else "Allowed: only shadow policies apply."
    else:
        verb = {"deny": "Denied", "require_approval": "Needs approval", "allow": "Allowed"}[winner.effect]
        scope = winner.scope if not winner.scope_id else f"{winner.scope} {winner.scope_id}"
        reason = winner.reason(action_context)
        sentence = f'{verb} by the policy "{winner.name}" ({scope}, priority {winner.priority}): {reason}.'
        if len(applying) > 1:
            sentence += f" {len(applying)} policies apply."
    if modifications:
        sentence += " Modified: " + ", ".join(f"{name} = {value}" for name, value in modifications.items()) + "."
    return sentence


def stored_context(context: JsonObject) -> JsonObject:
    """The context as it is stored: secrets masked, a long input left out."""
    fields = {name: value for name, value in context.items() if name != "input"}
    if "input" not in context:
        return fields
    if len(write_json(context["input"], default=str)) > MAX_CONTEXT:
        return fields | {"truncated": True}
    return fields | {"input": mask(context["input"], length=None)}
