"""Agents and tools of a tenant, conversations, and agent jobs."""

from agents.models.agent import Agent
from agents.models.conversation import Conversation, ConversationTurn
from agents.models.faces import CodeTask, Job
from agents.models.job import AgentJob
from agents.models.tool import HandlerType, RiskLevel, Tool

__all__ = [
    "Agent",
    "AgentJob",
    "CodeTask",
    "Conversation",
    "ConversationTurn",
    "HandlerType",
    "Job",
    "RiskLevel",
    "Tool",
]
