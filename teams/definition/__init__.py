"""A team's definition: its checks, and the plan made of it."""
