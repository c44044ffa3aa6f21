"""Files, and the tables of a tenant."""
