"""The audit log: one sealed entry for each change, by REST, in Django's admin and by the engine."""
