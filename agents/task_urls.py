"""Routes of code tasks, relative to / (seed 003)."""

from agents.views.code_tasks import TaskHealthView, TaskViewSet
from config.http.viewsets import route

urlpatterns = [
    route("tasks", TaskViewSet.as_view({"get": "list", "post": "create"}), "tasks"),
    route("tasks/stats", TaskViewSet.as_view({"get": "stats"}), "task-stats"),
    route("tasks/{pk}", TaskViewSet.as_view({"get": "retrieve", "delete": "destroy"}), "task"),
    route("tasks/{pk}/cancel", TaskViewSet.as_view({"post": "cancel"}), "task-cancel"),
    route("health", TaskHealthView.as_view()),
]
