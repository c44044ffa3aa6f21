"""Budgets: limits on money and model calls, reserved before a call and settled after it."""
