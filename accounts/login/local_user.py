"""Who works on this machine without credentials: a user of the tenant `local`, for /tasks alone (RULINGS §4)."""

from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from accounts.login.authentication import Authenticator, Identity, establish, refuse_elsewhere
from accounts.members import LOCAL, NOBODYS
from accounts.models import Membership, Role, Tenant, User
from accounts.tenancy.tenant_model import bind, everywhere, open_scope
from config.http.api_request import ApiHttpRequest
from config.rate_limits import limiter

USER_ID = UUID("00000000-0000-4000-8000-00000000100c")  # not found by an address, which somebody may have registered
EMAIL = f"local@{NOBODYS}"
PROXY_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_REAL_IP",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_HOST",
)
NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class LocalAuthenticator(Authenticator):
    """The authenticator of /tasks: credentials as everywhere, and none for calls from this machine."""

    pass_address = staticmethod(limiter.pass_task_address)
    pass_caller = staticmethod(limiter.pass_task_caller)

    def without_credentials(self, http: ApiHttpRequest) -> tuple[User, Identity] | None:
        """The local user; nobody where that is off, or the call may come from elsewhere."""
        if not settings.TASKS_ANONYMOUS or not is_local(http):
            return None
        open_scope(http)
        member = local_member()
        bind(member.tenant_id)
        identity = Identity(member.user, member.tenant, member.role)
        establish(http, identity)
        return identity.user, identity


def is_local(request: HttpRequest) -> bool:
    """True when the peer is this machine, no proxy has passed the call on, and no other site's page makes it.

    The Host must be this machine's own name: a page whose name was made to point here (DNS rebinding) names its own.
    """
    if any(request.META.get(name) for name in PROXY_HEADERS):
        return False
    try:
        peer = ip_address(request.META.get("REMOTE_ADDR", ""))
        host = urlsplit(f"//{request.META.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return False
    if not peer.is_loopback or host not in NAMES:
        return False
    refuse_elsewhere(request)
    return True


def local_member() -> Membership:
    """The local user's membership, created when it is first needed."""
    with everywhere():
        rows = Membership.all_tenants.select_related("user", "tenant")
        member = rows.filter(user_id=USER_ID, tenant_id=LOCAL, user__is_active=True).first()
        if member is None:
            with transaction.atomic():
                tenant, _ = Tenant.objects.get_or_create(pk=LOCAL, defaults={"name": "This machine"})
                fields = {"email": EMAIL, "name": "Local", "password": make_password(None)}
                user, _ = User.objects.get_or_create(pk=USER_ID, defaults=fields)
                Membership.all_tenants.get_or_create(user=user, defaults={"tenant": tenant, "role": Role.USER})
            member = rows.get(user_id=USER_ID, tenant_id=LOCAL, user__is_active=True)
    return member
