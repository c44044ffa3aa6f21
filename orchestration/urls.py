"""The engine's part of /api/v1: workflows, runs, apps, programs."""

from config.http.viewsets import Router
from orchestration.views.approvals import ApprovalViewSet
from orchestration.views.apps import AppViewSet
from orchestration.views.programs import ProgramViewSet
from orchestration.views.runs import RunViewSet
from orchestration.views.workflows import WorkflowViewSet

router = Router()
router.register("runs", RunViewSet, basename="run")
router.register("workflows", WorkflowViewSet, basename="workflow")
router.register("apps", AppViewSet, basename="app")
router.register("programs", ProgramViewSet, basename="program")
router.register("approvals", ApprovalViewSet, basename="approval")
urlpatterns = router.urls
