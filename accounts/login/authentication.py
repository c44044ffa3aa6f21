"""Bearer JWT, API key or cookie → who is asking. One database query per request; the role is the database's."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS

from accounts.login.tokens import claims_of, digest
from accounts.models import KeyPermission, Tenant, User
from accounts.tenancy.tenant_choice import choose_tenant
from accounts.tenancy.tenant_model import open_scope
from config.database import prepared_statements
from config.database.queries import load_queries
from config.errors import Forbidden, TenantSuspended, Unauthorized
from config.http import origin
from config.http.api_request import ApiHttpRequest, ApiRequest
from config.rate_limits import limiter

COOKIE = "access_token"
KEY_PREFIX = "llm_"
ALL = frozenset(KeyPermission.values)


@dataclass(slots=True)
class Identity:
    """Who is asking, in which tenant and role, and what their credential is good for."""

    user: User
    tenant: Tenant
    role: str
    permissions: frozenset[str] = ALL
    key_id: UUID | None = None

    @property
    def tenant_id(self) -> str:
        """The tenant's id."""
        return self.tenant.pk


def _columns(model: type[User] | type[Tenant], names: str) -> list[str]:
    """These columns in the order that from_db() wants."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in names.split()]


# The columns of members.sql.
USER = _columns(User, "id email name avatar_url is_staff is_superuser is_active stamp created_at")
TENANT = _columns(Tenant, "id name open_registration suspended suspension_reason weight max_running")
SQL = load_queries(__package__, "members.sql")


def _identity(row: tuple[Any, ...]) -> Identity:
    after = 1 + len(USER)
    user = User.from_db("default", USER, row[1:after])
    tenant = Tenant.from_db("default", TENANT, row[after : after + len(TENANT)])
    refuse_suspended(user, tenant)
    return Identity(user, tenant, row[0])


def refuse_suspended(user: User, tenant: Tenant) -> None:
    """TenantSuspended for members of a suspended tenant. Operators go on: they are who resumes it."""
    if tenant.suspended and not user.is_staff:
        reason = f" ({tenant.suspension_reason})" if tenant.suspension_reason else ""
        raise TenantSuspended(f"This tenant is suspended{reason}; its data is kept. Ask the platform's operator.")


def authenticate_token(token: str) -> Identity:
    """Who an access token or an API key stands for; Unauthorized when for nobody, TenantSuspended while theirs is."""
    if token.startswith(KEY_PREFIX):
        row = prepared_statements.execute(SQL["member_of_key"], {"digest": digest(token)})
        if row is None:
            raise Unauthorized("The API key is unknown, revoked or expired; make one at POST /api/v1/auth/api-keys.")
        identity = _identity(row)
        identity.permissions, identity.key_id = frozenset(row[-3]), row[-2]
        return identity
    claims = claims_of(token)
    row = prepared_statements.execute(SQL["member_of_token"], {"user_id": claims["sub"], "stamp": claims["stamp"]})
    if row is None:
        raise Unauthorized("The session has ended: the password changed or the account is closed; log in again.")
    return _identity(row)


def establish(request: ApiHttpRequest, identity: Identity) -> None:
    """Note who is asking on Django's request, where views and middleware see it; TenantSuspended while theirs is."""
    refuse_suspended(identity.user, identity.tenant)
    request.identity = identity
    origin.current().key_id = identity.key_id
    request.user, request.tenant = identity.user, identity.tenant
    request.role, request.permissions = identity.role, identity.permissions
    request.on_behalf_of = ""


class Anybody(BaseAuthentication):
    """For what needs no credentials and ignores them: login and registration."""

    def authenticate(self, request: ApiRequest) -> None:
        """Nobody; the request counts for its address."""
        limiter.pass_address(request._request)


class Authenticator(BaseAuthentication):
    """DRF's authentication for every façade; sets request.user, tenant, role, permissions and identity."""

    pass_address = staticmethod(limiter.pass_address)
    pass_caller = staticmethod(limiter.pass_caller)

    def authenticate(self, request: ApiRequest) -> tuple[User, Identity] | None:
        """The user and their identity; None without credentials. Who names another tenant is refused."""
        http = request._request
        identity = self._identify(http)
        if identity is not None:
            choose_tenant(http)
        return identity

    def _identify(self, http: ApiHttpRequest) -> tuple[User, Identity] | None:
        token = credential(http)
        if token is None:
            self.pass_address(http)
            return self.without_credentials(http)
        open_scope(http)
        try:
            identity = authenticate_token(token)
        except (Unauthorized, TenantSuspended):
            self.pass_address(http)
            raise
        self.pass_caller(http, identity)
        establish(http, identity)
        return identity.user, identity

    def without_credentials(self, http: ApiHttpRequest) -> tuple[User, Identity] | None:
        """Nobody."""
        return None

    def authenticate_header(self, request: ApiRequest) -> str:
        """The WWW-Authenticate of a 401; without one DRF would answer 403."""
        return 'Bearer realm="regente"'


def credential(request: HttpRequest) -> str | None:
    """The token or key that a request shows: Authorization: Bearer, X-API-Key, or the cookie from our own pages."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    key = request.META.get("HTTP_X_API_KEY", "").strip()
    if key:
        if not key.startswith(KEY_PREFIX):
            raise Unauthorized("X-API-Key takes an API key (llm_…); send tokens as Authorization: Bearer.")
        return key
    cookie = request.COOKIES.get(COOKIE)
    if cookie and request.method not in SAFE_METHODS:
        refuse_elsewhere(request)
    return cookie or None


def refuse_elsewhere(request: HttpRequest) -> None:
    """Refuse a cookie's call when Origin, Referer or Sec-Fetch-Site shows that another site's page makes it."""
    site = request.META.get("HTTP_SEC_FETCH_SITE", "none")
    pages = (request.META.get("HTTP_ORIGIN"), request.META.get("HTTP_REFERER"))
    if site not in ("same-origin", "none") or any(page and not _is_ours(request, page) for page in pages):
        raise Forbidden("Another site's page may not use the cookie; send the token as Authorization: Bearer.")


def _is_ours(request: HttpRequest, page: str) -> bool:
    try:
        parts = urlsplit(page)
    except ValueError:
        return False
    if f"{parts.scheme}://{parts.netloc}" in settings.CSRF_TRUSTED_ORIGINS:
        return True
    same_host = parts.netloc.lower() == request.get_host().lower()
    return same_host and parts.scheme in (("https",) if request.is_secure() else ("http", "https"))
