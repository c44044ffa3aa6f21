"""Routes of agent jobs, relative to /api/ai/ (seed 002)."""

from agents.views.jobs import JobAgentViewSet, JobHealthViewSet, JobViewSet
from config.http.viewsets import route

urlpatterns = [
    route("agents", JobAgentViewSet.as_view({"get": "list"}), "job-agents"),
    route("agents/{agent_key}/run", JobAgentViewSet.as_view({"post": "run"}), "job-run"),
    route("jobs", JobViewSet.as_view({"get": "list"}), "jobs"),
    route("jobs/{job_id}", JobViewSet.as_view({"get": "retrieve"}), "job"),
    route("jobs/{job_id}/cancel", JobViewSet.as_view({"post": "cancel"}), "job-cancel"),
    route("usage/monthly", JobHealthViewSet.as_view({"get": "usage"}), "job-usage"),
    route("health", JobHealthViewSet.as_view({"get": "health"}), "job-health"),
]
