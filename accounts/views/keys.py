"""API keys: each person's own; admins may revoke anybody's in their tenant."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts import members
from accounts.models import ApiKey, Role
from accounts.permissions import has_role
from accounts.serializers import ApiKeySerializer, NewApiKeySerializer
from accounts.tenancy.tenant_model import bind
from config.http.api_request import ApiRequest
from config.http.serializers import MessageSerializer
from config.http.viewsets import ArrayPagination, TenantViewSet


class ApiKeyViewSet(mixins.ListModelMixin, TenantViewSet):
    """The caller's API keys."""

    model, noun = ApiKey, "API key"
    serializer_class = ApiKeySerializer
    pagination_class = ArrayPagination

    def get_queryset(self) -> QuerySet[ApiKey]:
        """The caller's keys; to revoke, an admin reaches the whole tenant's."""
        rows = super().get_queryset()
        if self.action == "revoke" and has_role(self.request, Role.ADMIN):
            return rows
        return rows.filter(user=self.request.user)

    @extend_schema(request=ApiKeySerializer, responses={201: NewApiKeySerializer})
    def create(self, request: ApiRequest) -> Response:
        """Make a key; this answer alone shows it."""
        fields = self.valid().validated_data
        bind(request.identity.tenant_id)  # an operator who names another tenant makes a key of their own all the same
        member = members.find_member(request.identity.tenant, request.identity.user.pk)
        row, key = members.create_api_key(member, fields["name"], fields["permissions"], fields.get("expires_at"))
        bind(request.tenant.pk)
        row.key = key
        return Response(NewApiKeySerializer(row).data, status=201)

    @extend_schema(summary="Revoke an API key", request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: ApiRequest, pk: str) -> Response:
        """End a key; doing it again changes nothing."""
        row = self.get_object()
        self.model.objects.for_tenant(request.tenant).filter(pk=row.pk, revoked_at=None).update(
            revoked_at=timezone.now()
        )
        return Response({"message": "API key revoked"})
