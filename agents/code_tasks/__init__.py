"""Code tasks (seed 003): an agent that works on an objective with files and commands, in a workspace of its own."""

FAILURE_PREFIX = "FAILED:"  # how an agent's answer begins that says that the objective cannot be reached
