"""A tenant, its users and its invitations: for its admins."""

from datetime import timedelta

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.response import Response

from accounts import members
from accounts.models import Invitation, Membership, Role, Tenant
from accounts.serializers import (
    InvitationSerializer,
    MemberSerializer,
    NewInvitationSerializer,
    NewUserSerializer,
    TenantSerializer,
    UserSerializer,
)
from config.http.api_request import ApiRequest
from config.http.viewsets import TenantViewSet

ADMINS = {"read": Role.ADMIN, "write": Role.ADMIN}


class UserViewSet(mixins.ListModelMixin, TenantViewSet):
    """The tenant's users."""

    model = Membership
    serializer_class = UserSerializer
    roles = ADMINS
    lookup_field = "user_id"
    lookup_url_kwarg = "id"

    def get_queryset(self) -> QuerySet[Membership]:
        """The members, those who came first at the top."""
        return super().get_queryset().select_related("user").order_by("user__created_at", "pk")

    @extend_schema(request=NewUserSerializer, responses={201: UserSerializer})
    def create(self, request: ApiRequest) -> Response:
        """Add a user with a role."""
        given = self.valid(NewUserSerializer).validated_data
        return Response(UserSerializer(members.add_member(request.tenant, **given)).data, status=201)

    @extend_schema(responses=UserSerializer)
    def retrieve(self, request: ApiRequest, id: str) -> Response:
        """One user."""
        return Response(UserSerializer(members.find_member(request.tenant, id)).data)

    @extend_schema(request=MemberSerializer, responses=UserSerializer)
    def partial_update(self, request: ApiRequest, id: str) -> Response:
        """Change role, name or is_active; a deactivated user's sessions and keys end at once."""
        changes = self.valid(MemberSerializer, partial=True).validated_data
        self.note_before(members.find_member(request.tenant, id))
        return Response(UserSerializer(members.change_member(request.tenant, id, **changes)).data)

    @extend_schema(request=MemberSerializer, responses=UserSerializer)
    def update(self, request: ApiRequest, id: str) -> Response:
        """Change role, name or is_active."""
        return self.partial_update(request, id)


class InvitationViewSet(mixins.ListModelMixin, TenantViewSet):
    """The tenant's invitations."""

    model = Invitation
    serializer_class = InvitationSerializer
    roles = ADMINS
    audit_hidden = frozenset({"code"})

    @extend_schema(request=InvitationSerializer, responses={201: NewInvitationSerializer})
    def create(self, request: ApiRequest) -> Response:
        """Invite somebody; this answer alone shows the code, which register takes as `invitation`."""
        given = self.valid().validated_data
        for_s = timedelta(seconds=given["expires_in_s"])
        row, code = members.invite(request.tenant, request.identity.user, given["role"], given["email"], for_s)
        row.code = code
        return Response(NewInvitationSerializer(row).data, status=201)


class TenantView(TenantViewSet):
    """The caller's tenant."""

    queryset = Tenant.objects.none()
    serializer_class = TenantSerializer
    audit_type = "tenant"
    roles = ADMINS

    def retrieve(self, request: ApiRequest) -> Response:
        """The tenant's settings."""
        return Response(TenantSerializer(request.tenant).data)

    def partial_update(self, request: ApiRequest) -> Response:
        """Change name or open_registration."""
        self.note_before(request.tenant)
        changed = self.valid(instance=request.tenant, partial=True)
        changed.save()
        return Response(changed.data)

    def update(self, request: ApiRequest) -> Response:
        """Change name or open_registration."""
        return self.partial_update(request)

    def get_queryset(self) -> QuerySet[Tenant]:
        """Nothing but the tenant itself is ever read here."""
        return self.queryset
