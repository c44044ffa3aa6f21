"""Limits on requests and model calls, counted in Redis, exact over all processes."""
