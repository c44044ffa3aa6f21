"""The guide's tables, generated from the registries, and its samples, run by the tests."""
