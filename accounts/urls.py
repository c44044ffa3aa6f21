"""The accounts' routes, relative to /api/v1/."""

from django.conf import settings

from accounts.views.keys import ApiKeyViewSet
from accounts.views.me import MeView, PasswordView
from accounts.views.sessions import LoginView, LogoutView, RefreshView, RegisterView, SingleSignOnView
from accounts.views.tenants import InvitationViewSet, TenantView, UserViewSet
from config.http.viewsets import Router, route

router = Router()
router.register("auth/api-keys", ApiKeyViewSet, basename="api-key")
router.register("auth/users", UserViewSet, basename="user")
router.register("auth/invitations", InvitationViewSet, basename="invitation")

urlpatterns = [
    *([route("auth/sso", SingleSignOnView.as_view())] if settings.OIDC_ISSUER else []),
    route("auth/register", RegisterView.as_view()),
    route("auth/login", LoginView.as_view()),
    route("auth/refresh", RefreshView.as_view()),
    route("auth/logout", LogoutView.as_view()),
    route("auth/me", MeView.as_view()),
    route("auth/password", PasswordView.as_view()),
    route("tenant", TenantView.as_view({"get": "retrieve", "patch": "partial_update", "put": "update"})),
    *router.urls,
]
