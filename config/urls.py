"""All routes. Each answers with and without a trailing slash itself; what nobody answers is a JSON 404."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from config.http.health_views import (
    ApiRootView,
    LiveView,
    MetricsView,
    ReadyView,
    RootView,
    SystemHealthView,
    unknown_path,
)
from config.http.openapi.pages import OpenAPIView, RedocView, SwaggerView
from config.http.viewsets import route

handler400 = "config.http.error_handler.handler400"
handler403 = "config.http.error_handler.handler403"
handler404 = "config.http.error_handler.handler404"
handler500 = "config.http.error_handler.handler500"

api: list[URLPattern | URLResolver] = [
    path("", include("orchestration.urls")),  # the busiest first: patterns are tried one after the other
    route("healthz", LiveView.as_view()),
    route("system/health", SystemHealthView.as_view()),
    route("observability/health", SystemHealthView.as_view()),
    path("", include("accounts.urls")),
    path("", include("governance.urls")),
    path("", include("memory.urls")),
    path("", include("observability.urls")),
    path("", include("agents.urls")),
    path("", include("teams.urls")),
]

admin.site.site_header = admin.site.site_title = "Regente"
admin.site.index_title = "All tenants"

urlpatterns = [
    path("api/v1/", include(api)),
    path("", RootView.as_view()),
    route("healthz", LiveView.as_view()),
    route("readyz", ReadyView.as_view()),
    route("metrics", MetricsView.as_view()),
    route("docs", SwaggerView.as_view()),
    route("redoc", RedocView.as_view()),
    route(r"openapi\.json", OpenAPIView.as_view()),
    route("api/v1", ApiRootView.as_view()),
    path("api/ai/", include("agents.job_urls")),
    path("", include("agents.task_urls")),
    re_path("^admin$", admin.site.admin_view(admin.site.index)),
    path("admin/", admin.site.urls),
    *([path("sso/", include("accounts.login.sso_urls"))] if settings.OIDC_ISSUER else []),
    re_path("", unknown_path),
]
