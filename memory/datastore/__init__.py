"""A tenant's own tables: a schema with a reader's and a writer's login, and the platform's views beside it."""
