"""/api/v1/api-keys: a user's keys for model providers (seed 001). They go in and never come out."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from config.errors import NotFound
from config.http.api_request import ApiRequest
from config.http.fields import CharField, DateTimeField, RegexField
from config.http.viewsets import ArrayPagination, TenantViewSet
from governance import vault
from governance.models import ProviderKey


class ProviderKeyNotFound(NotFound):
    """You have no key for this service."""


class NewProviderKey(serializers.Serializer):
    """A provider's key."""

    service_name = RegexField(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
    api_key = CharField(max_length=2000)


class ProviderKeySerializer(serializers.Serializer):
    """What may be told of a key."""

    key_id = serializers.UUIDField(source="id")
    user_id = serializers.UUIDField()
    service_name = serializers.CharField()
    is_active = serializers.SerializerMethodField()
    created_at = DateTimeField()
    updated_at = DateTimeField()

    def get_is_active(self, key: ProviderKey) -> bool:
        """It is used as long as it is there."""
        return True


class DeletedShape(serializers.Serializer):
    """That a key is gone."""

    status = serializers.CharField()
    message = serializers.CharField()


class ProviderKeyViewSet(TenantViewSet):
    """Keys: nobody sees or deletes another's."""

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
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=NewProviderKey, responses={200: ProviderKeySerializer})
    def create(self, request: ApiRequest) -> Response:
        """The stored key; one that the service had before is replaced."""
        given = self.valid(NewProviderKey).validated_data
        rows = ProviderKey.objects.for_tenant(request.tenant)
        key, _ = rows.update_or_create(
            tenant=request.tenant,
            user_id=request.user.pk,
            service_name=vault.provider_name(given["service_name"]),
            defaults={"sealed": vault.encrypt(given["api_key"])},
        )
        return Response(self.get_serializer(key).data)

    @extend_schema(responses=DeletedShape)
    def destroy(self, request: ApiRequest, service_name: str) -> Response:
        """The key of this service is gone."""
        self.kwargs["service_name"] = vault.provider_name(service_name)
        self.get_object().delete()
        return Response({"status": "success", "message": f"API key for service {service_name} deleted"})
