"""Alerts: rules, what fires them, who is told."""
