"""The app of what thinks and acts."""

from importlib import import_module

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Registers the nodes and programs of agents and tools, and what the apps below ask of models."""

    name = "agents"

    def ready(self) -> None:
        """Import what registers itself."""
        for module in (
            "agents.loop.agent_program",
            "agents.conversations.program",
            "agents.llm.embedding",
            "agents.workflow_nodes",
            "agents.loop.tool_program",
            "agents.tools.builtin",
            "agents.code_tasks.program",
            "agents.drafts.apply_program",
            "agents.jobs.callbacks",
            "agents.jobs.plugins",
            "agents.jobs.program",
            "agents.offline.offline_model",
        ):
            import_module(module)
