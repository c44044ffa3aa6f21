"""What is allowed, and at what price: policies, budgets, secrets, and the audit log."""

from governance.models.audit import AuditEntry, AuditSeal
from governance.models.budget import Budget, BudgetLimit, BudgetScope, Hold, Period
from governance.models.policy import Policy, PolicyDecision, Scope
from governance.models.secret import ProviderKey, TenantSecret

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "Budget",
    "BudgetLimit",
    "BudgetScope",
    "Hold",
    "Period",
    "Policy",
    "PolicyDecision",
    "ProviderKey",
    "Scope",
    "TenantSecret",
]
