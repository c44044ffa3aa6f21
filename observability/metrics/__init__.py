"""A tenant's metrics: roll-ups, and the two forms in which they are shown."""
