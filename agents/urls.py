"""Routes of agents, conversations and tools, relative to /api/v1/."""

from agents.views.agents import AgentViewSet
from agents.views.changes import ChangeViewSet
from agents.views.conversations import ConversationViewSet
from agents.views.jobs import CallbackSecretViewSet
from agents.views.tools import ToolViewSet
from config.http.viewsets import Router, route

router = Router()
router.register("agents", AgentViewSet, basename="agent")
router.register("conversations", ConversationViewSet, basename="conversation")
router.register("tools", ToolViewSet, basename="tool")

urlpatterns = [
    route("runs/{pk}/changes", ChangeViewSet.as_view({"get": "changes"}), "run-changes"),
    route("runs/{pk}/apply", ChangeViewSet.as_view({"post": "apply"}), "run-apply"),
    route("runs/{pk}/discard", ChangeViewSet.as_view({"post": "discard"}), "run-discard"),
    route("integration/callback-secret", CallbackSecretViewSet.as_view({"get": "secret"}), "callback-secret"),
    *router.urls,
]
