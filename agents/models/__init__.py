"""What thinks and acts: agents and tools of a tenant."""

from agents.models.agent import Agent
from agents.models.tool import HandlerType, RiskLevel, Tool

__all__ = ["Agent", "HandlerType", "RiskLevel", "Tool"]
