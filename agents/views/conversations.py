"""/api/v1/conversations: the caller's own conversations with agents, and their turns."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.response import Response

from agents.models import Conversation, ConversationTurn
from agents.serializers.conversations import (
    ConversationSerializer,
    ConversationWithTurnsSerializer,
    TurnRow,
    TurnSerializer,
)
from config.errors import NotFound
from config.http.api_request import ApiRequest
from config.http.serializers import MessageSerializer
from config.http.viewsets import PagePagination, TenantViewSet
from orchestration.models import Run


class ConversationNotFound(NotFound):
    """You have no such conversation."""


class ConversationViewSet(mixins.ListModelMixin, TenantViewSet):
    """Conversations: nobody sees another's."""

    model, not_found = Conversation, ConversationNotFound
    serializer_class = ConversationSerializer
    pagination_class = PagePagination
    lookup_field = "key"
    lookup_url_kwarg = "id"

    def get_queryset(self) -> QuerySet[Any]:
        """The caller's own."""
        rows = super().get_queryset()
        return rows.filter(user_id=self.request.user.pk) if self.request.user is not None else rows.none()

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The latest first."""
        return rows.order_by("-updated_at")

    @extend_schema(responses=ConversationWithTurnsSerializer)
    def retrieve(self, request: ApiRequest, id: str) -> Response:
        """The conversation with its turns, the oldest first."""
        conversation = self.get_object()
        turns = ConversationTurn.objects.for_tenant(request.tenant).filter(conversation=conversation).order_by("number")
        runs = Run.objects.for_tenant(request.tenant).in_bulk([turn.run_id for turn in turns])
        rows = [TurnRow(turn.number, runs[turn.run_id]) for turn in turns if turn.run_id in runs]
        return Response(self.get_serializer(conversation).data | {"turns": TurnSerializer.render_all(rows)})

    @extend_schema(responses={200: MessageSerializer})
    def destroy(self, request: ApiRequest, id: str) -> Response:
        """Delete the conversation: it is not continued any more; its runs stay on record."""
        self.get_object().delete()
        return Response(MessageSerializer.render({"message": "Conversation deleted"}))
