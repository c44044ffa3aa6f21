"""The accounts' endpoints, by noun."""
