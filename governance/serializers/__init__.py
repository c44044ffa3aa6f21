"""Bodies of policies, budgets, the audit log and provider keys."""
