"""The engine's part of /api/v1: workflows and runs."""

from config.api import Router
from orchestration.views.runs import RunViewSet
from orchestration.views.workflows import WorkflowViewSet

router = Router()
router.register("workflows", WorkflowViewSet, basename="workflow")
router.register("runs", RunViewSet, basename="run")
urlpatterns = router.urls
