"""Which agents there are: a tenant's own, the built-in ones, and the demo's."""
