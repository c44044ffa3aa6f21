"""/api/v1/api-keys: a user's keys for model providers (seed 001)."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from config.errors import NotFound
from config.http.api_request import ApiRequest
from config.http.serializers import StatusMessageSerializer
from config.http.viewsets import ArrayPagination, TenantViewSet
from governance import vault
from governance.models import ProviderKey
from governance.serializers.provider_keys import ProviderKeyRequest, ProviderKeySerializer


class ProviderKeyNotFound(NotFound):
    """You have no key for this service."""


class ProviderKeyViewSet(TenantViewSet):
    """Keys of the caller alone."""

    model, not_found = ProviderKey, ProviderKeyNotFound
    serializer_class = ProviderKeySerializer
    pagination_class = ArrayPagination
    lookup_field = "service_name"

    def get_queryset(self) -> QuerySet[Any]:
        """The caller's own, by service."""
        rows = super().get_queryset().order_by("service_name")
        return rows.filter(user_id=self.request.user.pk) if self.request.user is not None else rows.none()

    @extend_schema(responses=ProviderKeySerializer(many=True))
    def list(self, request: ApiRequest) -> Response:
        """The caller's keys, without the keys."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ProviderKeySerializer.render_all(page))

    @extend_schema(summary="Store one provider key", request=ProviderKeyRequest, responses={200: ProviderKeySerializer})
    def create(self, request: ApiRequest) -> Response:
        """The stored key; one that the service had before is replaced."""
        fields = self.valid(ProviderKeyRequest).validated_data
        rows = ProviderKey.objects.for_tenant(request.tenant)
        key, _ = rows.update_or_create(
            tenant=request.tenant,
            user_id=request.user.pk,
            service_name=vault.provider_name(fields["service_name"]),
            defaults={"sealed": vault.encrypt(fields["api_key"])},
        )
        return Response(ProviderKeySerializer.render(key))

    @extend_schema(responses={200: StatusMessageSerializer})
    def destroy(self, request: ApiRequest, service_name: str) -> Response:
        """Delete the key of this service."""
        self.kwargs["service_name"] = vault.provider_name(service_name)
        self.get_object().delete()
        message = f"API key for service {service_name} deleted"
        return Response(StatusMessageSerializer.render({"status": "success", "message": message}))
