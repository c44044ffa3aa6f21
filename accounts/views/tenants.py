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
from config.errors import Conflict
from config.http.api_request import ApiRequest
from config.http.viewsets import TenantViewSet

ADMINS = {"read": Role.ADMIN, "write": Role.ADMIN}


class UserViewSet(mixins.ListModelMixin, TenantViewSet):
    """The tenant's users."""

    model, noun = Membership, "user"
    errors = {"update": (Conflict,), "partial_update": (Conflict,)}
    serializer_class = UserSerializer
    roles = ADMINS
    lookup_field = "user_id"
    lookup_url_kwarg = "id"

    def get_queryset(self) -> QuerySet[Membership]:
        """The members, the oldest first."""
        return super().get_queryset().select_related("user").order_by("user__created_at", "pk")

    @extend_schema(request=NewUserSerializer, responses={201: UserSerializer})
    def create(self, request: ApiRequest) -> Response:
        """Add a user with a role."""
        fields = self.valid(NewUserSerializer).validated_data
        return Response(UserSerializer.render(members.add_member(request.tenant, **fields)), status=201)

    @extend_schema(responses=UserSerializer)
    def retrieve(self, request: ApiRequest, id: str) -> Response:
        """One user."""
        return Response(UserSerializer.render(members.find_member(request.tenant, id)))

    @extend_schema(request=MemberSerializer, responses=UserSerializer)
    def partial_update(self, request: ApiRequest, id: str) -> Response:
        """Change role, name or is_active; a deactivated user's sessions and keys end at once."""
        changes = self.valid(MemberSerializer, partial=True).validated_data
        self.note_before(members.find_member(request.tenant, id))
        return Response(UserSerializer.render(members.change_member(request.tenant, id, **changes)))

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
        fields = self.valid().validated_data
        lifetime = timedelta(seconds=fields["expires_in_s"])
        row, code = members.invite(request.tenant, request.identity.user, fields["role"], fields["email"], lifetime)
        row.code = code
        return Response(NewInvitationSerializer(row).data, status=201)


class TenantView(TenantViewSet):
    """The caller's tenant."""

    queryset = Tenant.objects.none()
    serializer_class = TenantSerializer
    audit_type = "tenant"
    roles = ADMINS

    @extend_schema(summary="Get the tenant's settings")
    def retrieve(self, request: ApiRequest) -> Response:
        """Its name, and whether anybody may register in it."""
        return Response(TenantSerializer(request.tenant).data)

    @extend_schema(summary="Change the tenant's settings, only the fields sent")
    def partial_update(self, request: ApiRequest) -> Response:
        """Change name or open_registration."""
        self.note_before(request.tenant)
        serializer = self.valid(instance=request.tenant, partial=True)
        serializer.save()
        return Response(serializer.data)

    @extend_schema(summary="Change the tenant's settings")
    def update(self, request: ApiRequest) -> Response:
        """Change name or open_registration."""
        return self.partial_update(request)

    def get_queryset(self) -> QuerySet[Tenant]:
        """Empty: the tenant comes with the request."""
        return self.queryset
