"""Routes of teams and their executions, relative to /api/v1/."""

from config.http.viewsets import Router
from teams.views.executions import ExecutionViewSet
from teams.views.teams import TeamViewSet

router = Router()
router.register("teams", TeamViewSet, basename="team")
router.register("executions", ExecutionViewSet, basename="execution")
urlpatterns = router.urls
