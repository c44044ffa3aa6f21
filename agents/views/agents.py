"""/api/v1/agents (seed 000 §5)."""

from dataclasses import asdict

from agents.lookup import built_in_agents
from agents.models import Agent
from agents.serializers.agents import AgentSerializer
from agents.views.keyed import KeyedViewSet
from config.errors import AgentNotFound


class AgentViewSet(KeyedViewSet):
    """Agents: a tenant's own and the built-in ones."""

    model, not_found = Agent, AgentNotFound
    serializer_class = AgentSerializer

    def built_in(self) -> list[Agent]:
        """The router and the condition evaluator."""
        return [
            Agent(
                key=agent.id,
                name=agent.name,
                description=agent.description,
                instructions=agent.instructions,
                model_profile={name: value for name, value in asdict(agent.profile).items() if value is not None},
                allowed_tools=list(agent.allowed_tools),
            )
            for agent in built_in_agents()
        ]
