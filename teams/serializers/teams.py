"""Teams, and what they may consist of."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from agents.catalog.lookup import BUILT_IN
from agents.models import Agent
from config.errors import Invalid
from config.http.fields import BooleanField, CharField, ObjectField, StrictModelSerializer
from config.http.query_parameters import FlagField
from teams.definition.config_checks import config_faults
from teams.definition.definition_checks import check_definition
from teams.execution.keys import seal
from teams.models import Team

MAX_PROMPT_LENGTH = 200_000
MAX_KEY_LENGTH = 2_000


class KeysField(serializers.DictField):
    """{service: key}: provider keys, never in a response."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=CharField(max_length=MAX_KEY_LENGTH), write_only=True, required=False, **kwargs)


class TeamSerializer(StrictModelSerializer):
    """A team."""

    example = {
        "name": "Morning Round",
        "agent_ids": ["agent.ticket_triage", "agent.concierge"],
        "workflow_definition": {
            "type": "sequential",
            "agents": [
                {"agent_id": "agent.ticket_triage", "role": "triage", "execution_order": 1},
                {"agent_id": "agent.concierge", "role": "answer", "execution_order": 2},
            ],
        },
    }

    team_id = serializers.UUIDField(source="id", read_only=True)
    user_id = serializers.UUIDField(source="created_by", read_only=True)
    description = CharField(allow_blank=True, default="")
    agent_ids = serializers.ListField(child=CharField(max_length=64), required=False)
    workflow_definition = ObjectField()
    user_api_keys = KeysField(help_text="The team's own provider keys; never returned.")
    team_config = ObjectField(required=False, help_text="{provider?, model?, temperature?, max_tokens?}")
    is_active = BooleanField(default=True)

    class Meta:
        model = Team
        fields = (
            *("team_id", "user_id", "name", "description", "agent_ids", "workflow_definition", "user_api_keys"),
            *("team_config", "is_active", "created_at", "updated_at"),
        )
        read_only_fields = ("created_at", "updated_at")

    def validate_team_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """The settings, when they can be some."""
        for place, sentence in config_faults(config, ""):
            raise serializers.ValidationError({place.removeprefix(".") or "team_config": [sentence]})
        return config

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields, when they fit each other and what a team may be."""
        team = self.instance if isinstance(self.instance, Team) else None
        definition: dict[str, Any] = attrs.get("workflow_definition", team.workflow_definition if team else {})
        if "agent_ids" not in attrs and team is None:
            agents = definition.get("agents")
            members = [agent for agent in agents if isinstance(agent, dict)] if isinstance(agents, list) else []
            ids = [agent.get("agent_id") for agent in members]
            attrs["agent_ids"] = [id for id in ids if isinstance(id, str)]
        ids = attrs["agent_ids"] = list(dict.fromkeys(attrs.get("agent_ids", team.agent_ids if team else [])))
        self._check_agents(ids)
        check_definition(definition, ids)
        if "user_api_keys" in attrs:
            attrs["sealed"] = seal(attrs.pop("user_api_keys"))
        return attrs

    def _check_agents(self, ids: list[str]) -> None:
        if len(ids) > settings.MAX_TEAM_AGENTS:
            raise Invalid({"agent_ids": [f"A team has at most {settings.MAX_TEAM_AGENTS} agents."]})
        rows = Agent.objects.for_tenant(self.context["request"].tenant).filter(key__in=ids)
        missing = set(ids) - set(rows.values_list("key", flat=True)) - set(BUILT_IN)
        if missing:
            raise Invalid({"agent_ids": [f"There is no agent {id!r}; create it first." for id in sorted(missing)]})


class TeamQuery(serializers.Serializer):
    """The filters of GET /teams."""

    name_filter = CharField(required=False, allow_blank=True, default="", max_length=255, help_text="A part of it.")
    active_only = FlagField(default=True)
