"""A task's workspace: its folder, and the commands and patches that work in it, within the sandbox."""
