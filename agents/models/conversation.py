"""Conversations: their turns are runs, which hold the messages; these rows only put them in order."""

from django.db import models
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel


class Conversation(TenantModel):
    """A user's conversation; `key` is the conversation_id, chosen by the client or made by us."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=128)
    user_id = models.UUIDField()
    agent_key = models.CharField(max_length=64, help_text="The agent of its latest turn.")
    title = models.CharField(max_length=120, help_text="How its first message begins.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user_id", "key"], name="conversation_key")]
        indexes = [models.Index(fields=["tenant", "user_id", "-updated_at"], name="conversation_of_user")]

    def __str__(self) -> str:
        return self.key


class ConversationTurn(TenantModel):
    """One turn: a run of the kind conversation, whose input has the message and whose result the answer."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    run_id = models.UUIDField(unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "number"], name="conversation_turn")]

    def __str__(self) -> str:
        return f"{self.conversation_id}#{self.number}"
