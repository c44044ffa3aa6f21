"""Tenants: models that belong to one, row-level security, and the tenant that a request is for."""
