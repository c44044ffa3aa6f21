"""The app of what thinks and acts."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Registers the nodes and programs of agents and tools, and what the apps below ask of models."""

    name = "agents"

    def ready(self) -> None:
        """Import what registers itself."""
        from agents import agent_runs, conversation, embedding, nodes, tool_runs, tools  # noqa: F401
        from agents.code_tasks import program as code_tasks  # noqa: F401
        from agents.drafts import applying  # noqa: F401
        from agents.jobs import callbacks, plugins, program  # noqa: F401
