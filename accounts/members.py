"""Members of a tenant: registration, invitations, login, and what admins may change about them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import token_hex, token_urlsafe
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.login.tokens import digest
from accounts.models import ApiKey, Invitation, Membership, Role, Tenant, User, new_stamp
from accounts.tenancy.tenant_model import everywhere
from config.errors import Conflict, Forbidden, Invalid, NotFound, RegistrationClosed, Unauthorized
from config.rate_limits import limiter

OPERATORS = "operators"  # the tenant of those who run the platform
LOCAL = "local"  # the tenant of those who use /tasks from this machine without credentials
RESERVED_TENANTS = frozenset({OPERATORS, LOCAL})
NOBODYS = "regente.invalid"  # the domain of users that are nobody's: nobody can get mail there, or register
MAX_ADDRESS_LENGTH = 254
TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
TENANT_ID_RULE = "Must be 1 to 64 letters, digits, dots, dashes, underscores or colons."


def register(email: str, password: str, name: str = "", tenant_id: str = "", invitation: str = "") -> Membership:
    """A new user: founder of a new tenant, or member of one that lets them in."""
    user = _user(email, password, name)
    with transaction.atomic(), everywhere():
        tenant, role = (
            _tenant_of_invitation(invitation, user.email, tenant_id)
            if invitation
            else _tenant_without_invitation(tenant_id)
        )
        return _join(user, tenant, role)


def add_member(tenant: Tenant, email: str, password: str, name: str, role: str) -> Membership:
    """A new user whom an admin puts into the tenant."""
    user = _user(email, password, name)
    with transaction.atomic():
        return _join(user, tenant, role)


def _user(email: str, password: str, name: str) -> User:
    """An unsaved user with a checked and hashed password; hashing is slow, so it is done outside of any transaction."""
    user = User(email=_address(email), name=name)
    check_password(password, user)
    user.password = make_password(password)
    return user


def _address(email: str) -> str:
    """The address as it is kept; Invalid when it is none, or reserved."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Invalid({"email": ["Must be an e-mail address."]}) from None
    if email.endswith(f"@{NOBODYS}") or len(email) > MAX_ADDRESS_LENGTH:
        raise Invalid({"email": ["This address cannot be used; use another."]})
    return email


def check_password(password: str, user: User | None = None, field: str = "password") -> None:
    """Refuse a weak password, saying why."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid({field: list(error.messages)}) from None


def _join(user: User, tenant: Tenant, role: str) -> Membership:
    """The saved user's membership. The database decides that the e-mail address is unique."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise Invalid({"email": ["This address is registered already; log in, or use another."]}) from None
    return Membership.all_tenants.create(user=user, tenant=tenant, role=role)


def _tenant_without_invitation(tenant_id: str) -> tuple[Tenant, str]:
    """The tenant that one who registers without an invitation comes into: a new one, or one that is open."""
    name = tenant_id or f"personal-{token_hex(8)}"
    if not TENANT_ID(name):
        raise Invalid({"tenant_id": [TENANT_ID_RULE]})
    if name in RESERVED_TENANTS:
        raise Forbidden("This tenant is reserved; choose another tenant_id, or leave it out.")
    tenant, created = Tenant.objects.get_or_create(pk=name, defaults={"name": name})
    if created:
        return tenant, Role.ADMIN if settings.FIRST_USER_ADMIN else Role.USER
    if tenant.open_registration:
        return tenant, Role.USER
    raise Forbidden("This tenant exists and takes new members by invitation only; ask one of its admins for one.")


def _tenant_of_invitation(code: str, email: str, tenant_id: str) -> tuple[Tenant, str]:
    """The tenant and role of an invitation, which is used up by this."""
    open_ones = Invitation.all_tenants.filter(code_hash=digest(code), used_at=None, expires_at__gt=timezone.now())
    invitation = open_ones.filter(Q(email="") | Q(email=email)).select_related("tenant").first()
    if (
        invitation is None
        or tenant_id not in ("", invitation.tenant_id)
        or not open_ones.update(used_at=timezone.now())
    ):
        raise Forbidden(
            "The invitation is unknown, used, expired, or for another address or tenant; ask for a new one."
        )
    return invitation.tenant, invitation.role


def invite(tenant: Tenant, by: User, role: str, email: str, expires_in: timedelta) -> tuple[Invitation, str]:
    """A new invitation and its code, which is shown once."""
    code = token_urlsafe(24)
    invitation = Invitation.all_tenants.create(
        tenant=tenant,
        code_hash=digest(code),
        email=email.strip().lower(),
        role=role,
        created_by=by.pk,
        expires_at=timezone.now() + expires_in,
    )
    return invitation, code


def log_in(email: str, password: str, address: str) -> Membership:
    """The member with this e-mail address and password; unknown ones cost the same time as wrong passwords.

    RateLimited after too many attempts from this network address.
    """
    email = email.strip().lower()
    limiter.pass_login(address, email)
    user = User.objects.filter(email=email).first()
    if user is None:
        make_password(password)
    if user is None or not user.check_password(password) or not user.is_active:
        raise Unauthorized("The e-mail address or the password is wrong.")
    with everywhere():
        member = Membership.all_tenants.select_related("user", "tenant").filter(user=user).first()
    if member is None and not user.is_staff:
        raise Unauthorized("The e-mail address or the password is wrong.")
    User.objects.filter(pk=user.pk).update(last_login=timezone.now())
    return member or make_operator(user)


def make_operator(user: User) -> Membership:
    """The membership of a platform operator, who has one like everybody else."""
    tenant, _ = Tenant.objects.get_or_create(pk=OPERATORS, defaults={"name": "Operators"})
    with everywhere():
        member, _ = Membership.all_tenants.get_or_create(user=user, defaults={"tenant": tenant, "role": Role.ADMIN})
    return member


@transaction.atomic
def ensure_operator(email: str, password: str) -> tuple[User, bool]:
    """The platform operator with this address, and whether they are new. An operator's own password is left alone."""
    user = User.objects.select_for_update().filter(email=email.strip().lower()).first()
    created = user is None
    if user is None:
        user = User.objects.create_superuser(email, password, name="Operator")
    elif not (user.is_staff and user.is_superuser and user.is_active):
        # Whoever registered with this address before may be anybody: from now on the given password counts.
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(password)
        user.save()
        _revoke_keys(user)
    make_operator(user)
    return user, created


def change_member(
    tenant: Tenant, user_id: str | UUID, role: str | None = None, is_active: bool | None = None, name: str | None = None
) -> Membership:
    """The member with a new role, state or name. A tenant keeps at least one active admin."""
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)  # one change at a time: the last admin stays
        member = find_member(tenant, user_id)
        user = member.user
        was_admin = member.role == Role.ADMIN and user.is_active
        member.role = role or member.role
        user.name = user.name if name is None else name
        if is_active is not None and is_active != user.is_active:
            user.is_active, user.stamp = is_active, new_stamp()
        if was_admin and not (member.role == Role.ADMIN and user.is_active):
            _keep_an_admin(tenant, user)
        member.save(update_fields=["role"])
        user.save(update_fields=["name", "is_active", "stamp"])
    return member


def find_member(tenant: Tenant, user_id: str | UUID) -> Membership:
    """The member of the tenant with this user id."""
    try:
        return Membership.objects.for_tenant(tenant).select_related("user", "tenant").get(user_id=user_id)
    except (Membership.DoesNotExist, ValidationError, ValueError):
        raise NotFound("There is no such user.", user_id=str(user_id)) from None


def _keep_an_admin(tenant: Tenant, leaving: User) -> None:
    admins = Membership.objects.for_tenant(tenant).filter(role=Role.ADMIN, user__is_active=True)
    if not admins.exclude(user=leaving).exists():
        raise Conflict("This is the tenant's last admin; make somebody else admin first.")


def create_api_key(
    member: Membership, name: str, permissions: list[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new API key's row, and the key itself, which is shown once."""
    key = f"llm_{token_urlsafe(32)}"
    row = ApiKey.all_tenants.create(
        tenant_id=member.tenant_id,
        user_id=member.user_id,
        name=name,
        key_hash=digest(key),
        start=key[:10],
        permissions=sorted(set(permissions)),
        expires_at=expires_at,
    )
    return row, key


def enter_by_sso(email: str, name: str, is_bound: Callable[[User], bool]) -> Membership:
    """The member with this address, which the identity provider has verified; new when there is none yet. Forbidden
    when another identity stands for the account (`is_bound`): an address may come to belong to somebody else.

    Whoever had registered with the address before need not have owned it: their password, sessions and keys end.
    """
    email = _address(email)
    with transaction.atomic(), everywhere():
        user = User.objects.select_for_update().filter(email=email).first()
        if user is None:
            if not (settings.OPEN_REGISTRATION or settings.OIDC_TENANT):
                raise RegistrationClosed
            new_user = User(email=email, name=name[:255], password=make_password(None))
            tenant, role = _of_sso(settings.OIDC_TENANT) if settings.OIDC_TENANT else _tenant_without_invitation("")
            return _join(new_user, tenant, role)
        if user.is_staff:
            raise Forbidden("Operators of the platform log in with their password.")
        if is_bound(user):
            raise Forbidden("The account with this address belongs to another identity; ask an admin of your tenant.")
        _check_home(user)
        user.set_unusable_password()
        user.stamp = new_stamp()
        user.save()
        _revoke_keys(user)
    return member_by_sso(user)


def _revoke_keys(user: User) -> None:
    """End the API keys that whoever had the account before has made."""
    ApiKey.all_tenants.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def _check_home(user: User) -> None:
    """Forbidden for an account whose tenant its owner need not have chosen: an admin of any tenant can make an account
    with anybody's address, and would see all that its owner does there.
    """
    home = Membership.all_tenants.filter(user=user).values_list("tenant_id", flat=True).first()
    alone = not Membership.all_tenants.filter(tenant_id=home).exclude(user=user).exists()
    if home != settings.OIDC_TENANT and not (alone and not settings.OIDC_TENANT):
        raise Forbidden(
            "An account with this address is in another tenant than single sign-on leads to; log in with its password, "
            "or ask the platform's operator."
        )


def _of_sso(tenant_id: str) -> tuple[Tenant, str]:
    tenant, _ = Tenant.objects.get_or_create(pk=tenant_id, defaults={"name": tenant_id})
    return tenant, settings.OIDC_ROLE


def member_by_sso(user: User) -> Membership:
    """The membership of a user whom the identity provider has named; Unauthorized when the account is closed."""
    with everywhere():
        member = Membership.all_tenants.select_related("user", "tenant").filter(user=user, user__is_active=True).first()
    if member is None:
        raise Unauthorized("The account is closed; ask an admin of your tenant.")
    return member


def change_password(user: User, password: str) -> None:
    """Give the user a new password; every session of theirs ends."""
    check_password(password, user, "new_password")
    user.set_password(password)
    user.save(update_fields=["password"])
