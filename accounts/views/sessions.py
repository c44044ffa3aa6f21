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
    MessageSerializer,
    RefreshSerializer,
    RegisterSerializer,
    SessionSerializer,
    TokensSerializer,
)
from accounts.tenancy.tenant_model import bind, open_scope
from config.errors import RegistrationClosed
from config.http import origin
from config.http.api_request import ApiHttpRequest, ApiRequest
from config.http.viewsets import ApiView, valid


def session_response(request: ApiRequest, session: tokens.Session, status: int = 200) -> Response:
    """The user and both tokens; the access token also as a cookie that scripts cannot read."""
    member = session.member
    bind(member.tenant_id)
    establish(request._request, Identity(member.user, member.tenant, member.role))
    return set_cookie(Response(SessionSerializer(session).data, status=status), session.access_token)


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
    shown = credential(request)
    return shown is not None and authenticate_token(shown).user.is_staff


class RegisterView(ApiView):
    """A new user, in a new tenant or in one that lets them in."""

    audit_action = "register"
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(request=RegisterSerializer, responses={201: SessionSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Create a user, and the tenant when it is new."""
        given = valid(RegisterSerializer, request).validated_data
        open_scope(request._request)
        if not settings.OPEN_REGISTRATION and not given.get("invitation") and not _is_operator(request._request):
            raise RegistrationClosed
        member = members.register(
            given["email"],
            given["password"],
            given["name"],
            given.get("tenant_id") or "",
            given.get("invitation") or "",
        )
        return session_response(request, tokens.open_session(member), 201)


class LoginView(ApiView):
    """A session for an e-mail address and its password."""

    audit_action = "login"
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(request=LoginSerializer, responses=SessionSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Log in."""
        given = valid(LoginSerializer, request).validated_data
        open_scope(request._request)
        request._request.failed_login = given["email"]  # for the record, if it comes to that
        member = members.log_in(given["email"], given["password"], origin.address(request._request))
        return session_response(request, tokens.open_session(member))


class SingleSignOnView(ApiView):
    """A session for the code that /sso/login has led to; there only when single sign-on is on."""

    audit_action = "login"
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(request=CodeSerializer, responses=SessionSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Exchange the code, which works once."""
        from accounts.login.sso import redeem

        given = valid(CodeSerializer, request).validated_data
        open_scope(request._request)
        return session_response(request, tokens.open_session(redeem(given["code"], given["verifier"])))


class RefreshView(ApiView):
    """The next pair of tokens."""

    audit_action = "refresh"
    authentication_classes = (Anybody,)
    permission_classes = ()

    @extend_schema(request=RefreshSerializer, responses=TokensSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Exchange a refresh token for new tokens; each works once."""
        given = valid(RefreshSerializer, request).validated_data["refresh_token"]
        open_scope(request._request)
        session = tokens.refresh(given)
        refuse_suspended(session.member.user, session.member.tenant)
        return set_cookie(Response(TokensSerializer(session).data), session.access_token)


class LogoutView(ApiView):
    """The end of a session."""

    audit_action = "logout"

    @extend_schema(request=RefreshSerializer, responses=MessageSerializer)
    def post(self, request: ApiRequest) -> Response:
        """Revoke the refresh token and its family, and take the cookie back."""
        tokens.close_session(request.identity.user, valid(RefreshSerializer, request).validated_data["refresh_token"])
        response = Response({"message": "Logged out"})
        response.delete_cookie(COOKIE, samesite="Lax")
        return response
