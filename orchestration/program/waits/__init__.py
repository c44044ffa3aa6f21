"""What a run may wait for: a moment, an event, a person's decision, a child run."""
