"""Routes of agents, conversations and tools, relative to /api/v1/."""

from agents.views.agents import AgentViewSet
from agents.views.conversations import ConversationViewSet
from agents.views.tools import ToolViewSet
from config.api import Router

router = Router()
router.register("agents", AgentViewSet, basename="agent")
router.register("conversations", ConversationViewSet, basename="conversation")
router.register("tools", ToolViewSet, basename="tool")

urlpatterns = router.urls
