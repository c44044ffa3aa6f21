"""The caller's own profile and password."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts import members
from accounts.login import tokens
from accounts.models import User
from accounts.serializers import PasswordSerializer, ProfileSerializer, SessionSerializer, UserSerializer
from accounts.tenancy.tenant_model import bind
from accounts.views.sessions import session_response
from config.errors import Invalid
from config.http.api_request import ApiRequest
from config.http.viewsets import ApiView, valid


class MeView(ApiView):
    """Who the credentials belong to."""

    audit_action = "update"

    @extend_schema(summary="Get one's own profile", responses=UserSerializer)
    def get(self, request: ApiRequest) -> Response:
        """The caller."""
        return Response(UserSerializer.render(request.identity))

    @extend_schema(
        summary="Change one's own profile, only the fields sent", request=ProfileSerializer, responses=UserSerializer
    )
    def patch(self, request: ApiRequest) -> Response:
        """Change name or avatar_url."""
        changes: dict[str, Any] = valid(ProfileSerializer, request, partial=True).validated_data
        user = request.user
        if changes:
            User.objects.filter(pk=user.pk).update(**changes)
        for name, value in changes.items():
            setattr(user, name, value)
        return Response(UserSerializer.render(request.identity))

    @extend_schema(summary="Change one's own profile", request=ProfileSerializer, responses=UserSerializer)
    def put(self, request: ApiRequest) -> Response:
        """Change name or avatar_url."""
        return self.patch(request)


class PasswordView(ApiView):
    """The caller's password."""

    audit_action = "change_password"

    @extend_schema(summary="Change one's own password", request=PasswordSerializer, responses=SessionSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Change the password; all sessions end, and the answer opens a new one."""
        passwords = valid(PasswordSerializer, request).validated_data
        user = User.objects.get(pk=request.user.pk)
        if not user.check_password(passwords["current_password"]):
            raise Invalid({"current_password": ["Is not the password in use."]})
        members.change_password(user, passwords["new_password"])
        bind(request.identity.tenant_id)  # an operator who names another tenant stays in their own
        return session_response(request, tokens.open_session(members.find_member(request.identity.tenant, user.pk)))
