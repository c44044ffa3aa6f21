"""Routes of what is watched, relative to /api/v1/."""

from config.http.viewsets import Router, route
from observability.views.alerts import AlertConfigViewSet, AlertViewSet, CheckViewSet
from observability.views.metrics import MetricsViewSet

router = Router()
router.register("alerts/configs", AlertConfigViewSet, basename="alert-config")
router.register("alerts/history", AlertViewSet, basename="alert")

urlpatterns = [
    route("metrics", MetricsViewSet.as_view({"get": "list"})),
    route("alerts/check", CheckViewSet.as_view({"post": "check"})),
    *router.urls,
]
