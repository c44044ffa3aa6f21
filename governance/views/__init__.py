"""Policies, budgets, the audit log and provider keys over REST."""
