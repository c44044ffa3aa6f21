"""Register, log in, refresh, log out."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework_simplejwt.settings import api_settings

from accounts import members
from accounts.login import tokens
from accounts.login.authentication import (
    COOKIE,
    Anybody,
    Identity,
    authenticate_token,
    credential,
    establish,
    refuse_suspended,
)
from accounts.serializers import (
    CodeSerializer,
    LoginSerializer,
    RefreshSerializer,
    RegisterSerializer,
    SessionSerializer,
    TokensSerializer,
)
from accounts.tenancy.tenant_model import bind, open_scope
from config.errors import Forbidden, RegistrationClosed, TenantSuspended, Unauthorized
from config.http import origin
from config.http.api_request import ApiHttpRequest, ApiRequest
from config.http.serializers import MessageSerializer
from config.http.viewsets import ApiView, valid


def session_response(request: ApiRequest, session: tokens.Session, status: int = 200) -> Response:
    """The user and both tokens; the access token also as a cookie that scripts cannot read."""
    member = session.member
    bind(member.tenant_id)
    establish(request._request, Identity(member.user, member.tenant, member.role))
    return set_cookie(Response(SessionSerializer.render(session), status=status), session.access_token)


def set_cookie(response: Response, token: str) -> Response:
    """The response with the access token as a cookie."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=api_settings.ACCESS_TOKEN_LIFETIME,
        httponly=True,
        samesite="Lax",
        secure=settings.COOKIE_SECURE,
    )
    return response


def _is_operator(request: ApiHttpRequest) -> bool:
    """Whether the credentials that come along are those of an operator, who may make accounts for others."""
    token = credential(request)
    return token is not None and authenticate_token(token).user.is_staff


class RegisterView(ApiView):
    """A new user, in a new tenant or in one that lets them in."""

    audit_action = "register"
    errors = {"post": (RegistrationClosed, Forbidden)}
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(summary="Register", request=RegisterSerializer, responses={201: SessionSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Create a user, and the tenant when it is new."""
        fields = valid(RegisterSerializer, request).validated_data
        open_scope(request._request)
        if not settings.OPEN_REGISTRATION and not fields.get("invitation") and not _is_operator(request._request):
            raise RegistrationClosed
        member = members.register(
            fields["email"],
            fields["password"],
            fields["name"],
            fields.get("tenant_id") or "",
            fields.get("invitation") or "",
        )
        return session_response(request, tokens.open_session(member), 201)


class LoginView(ApiView):
    """A session for an e-mail address and its password."""

    audit_action = "login"
    errors = {"post": (Unauthorized, TenantSuspended)}
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(summary="Log in", request=LoginSerializer, responses=SessionSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Log in."""
        fields = valid(LoginSerializer, request).validated_data
        open_scope(request._request)
        request._request.failed_login = fields["email"]  # for the audit log, if it is refused
        member = members.log_in(fields["email"], fields["password"], origin.address(request._request))
        return session_response(request, tokens.open_session(member))


class SingleSignOnView(ApiView):
    """A session for the code that /sso/login has led to; there only when single sign-on is on."""

    audit_action = "login"
    errors = {"post": (Unauthorized, Forbidden)}
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(summary="Exchange the code of a single sign-on", request=CodeSerializer, responses=SessionSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Exchange the code, which works once."""
        from accounts.login.sso import redeem

        fields = valid(CodeSerializer, request).validated_data
        open_scope(request._request)
        return session_response(request, tokens.open_session(redeem(fields["code"], fields["verifier"])))


class RefreshView(ApiView):
    """The next pair of tokens."""

    audit_action = "refresh"
    errors = {"post": (Unauthorized, TenantSuspended)}
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(summary="Exchange a refresh token", request=RefreshSerializer, responses=TokensSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Exchange a refresh token for new tokens; each works once."""
        refresh_token = valid(RefreshSerializer, request).validated_data["refresh_token"]
        open_scope(request._request)
        session = tokens.refresh(refresh_token)
        refuse_suspended(session.member.user, session.member.tenant)
        return set_cookie(Response(TokensSerializer.render(session)), session.access_token)


class LogoutView(ApiView):
    """The end of a session."""

    audit_action = "logout"

    @extend_schema(summary="Log out", request=RefreshSerializer, responses=MessageSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Revoke the refresh token and its family, and take the cookie back."""
        tokens.close_session(request.identity.user, valid(RefreshSerializer, request).validated_data["refresh_token"])
        response = Response({"message": "Logged out"})
        response.delete_cookie(COOKIE, samesite="Lax")
        return response
