"""The embedded PostgreSQL and Redis of `make run` and of the tests."""
