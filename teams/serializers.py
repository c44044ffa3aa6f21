"""Teams and executions as seed 001 writes them, and what they may be made of."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from agents.catalog.lookup import BUILT_IN
from agents.models import Agent
from config.errors import Invalid
from config.http.fields import BooleanField, CharField, ChoiceField, ObjectField, StrictModelSerializer
from config.http.query_parameters import FlagField
from orchestration.models import Mode, Run
from orchestration.serializers.runs import stamp
from teams.definition.config_checks import config_faults
from teams.definition.definition_checks import check_definition
from teams.execution.keys import seal
from teams.execution.state import error_of, status_word
from teams.models import Team

MAX_PROMPT_LENGTH = 200_000
MAX_KEY_LENGTH = 2_000


class KeysField(serializers.DictField):
    """{service: key}: provider keys, which go in and never come out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=CharField(max_length=MAX_KEY_LENGTH), write_only=True, required=False, **kwargs)


class TeamSerializer(StrictModelSerializer):
    """A team."""

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
            named = (
                [agent.get("agent_id") for agent in agents if isinstance(agent, dict)]
                if isinstance(agents, list)
                else []
            )
            attrs["agent_ids"] = [id for id in named if isinstance(id, str)]
        ids = attrs["agent_ids"] = list(dict.fromkeys(attrs.get("agent_ids", team.agent_ids if team else [])))
        self._check_agents(ids)
        check_definition(definition, ids)
        if "user_api_keys" in attrs:
            attrs["sealed"] = seal(attrs.pop("user_api_keys"))
        return attrs

    def _check_agents(self, ids: list[str]) -> None:
        if len(ids) > settings.MAX_TEAM_AGENTS:
            raise Invalid({"agent_ids": [f"A team has at most {settings.MAX_TEAM_AGENTS} agents."]})
        known = Agent.objects.for_tenant(self.context["request"].tenant).filter(key__in=ids)
        missing = set(ids) - set(known.values_list("key", flat=True)) - set(BUILT_IN)
        if missing:
            raise Invalid({"agent_ids": [f"There is no agent {id!r}; create it first." for id in sorted(missing)]})


class TeamQuery(serializers.Serializer):
    """The filters of GET /teams."""

    name_filter = CharField(required=False, allow_blank=True, default="", max_length=255, help_text="A part of it.")
    active_only = FlagField(default=True)


class ExecuteRequest(serializers.Serializer):
    """POST /teams/{id}/execute."""

    team_id = CharField(required=False, help_text="When given, the id of the path.")
    initial_prompt = CharField(max_length=MAX_PROMPT_LENGTH, trim_whitespace=False)
    context = ObjectField(required=False, default=dict, help_text="Variables for context_variable inputs.")  # type: ignore[assignment]
    user_api_keys = KeysField(help_text="Provider keys for this execution, over the team's.")
    execution_config = ObjectField(required=False, default=dict, help_text="Over the team's and the agents' settings.")
    mode = ChoiceField(Mode.choices, default=Mode.AUTO, help_text="draft: what has effects outside is staged.")
    cost_limit_cents = serializers.FloatField(required=False, allow_null=True, min_value=0)
    llm_calls_limit = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    latency_slo_ms = serializers.IntegerField(required=False, allow_null=True, min_value=1)

    def validate_execution_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """The settings, when they can be some."""
        for place, sentence in config_faults(config, ""):
            raise serializers.ValidationError({place.removeprefix(".") or "execution_config": [sentence]})
        return config


class ExecutionQuery(serializers.Serializer):
    """The filters of GET /executions."""

    team_id = CharField(required=False, allow_blank=True, default="", max_length=64)


class ExecutionShape(serializers.Serializer):
    """An execution."""

    execution_id = serializers.UUIDField()
    team_id = serializers.UUIDField()
    status = serializers.CharField()
    initial_prompt = serializers.CharField()
    final_result = serializers.DictField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


def execution_json(run: Run) -> dict[str, Any]:
    """TeamExecutionResponse of the contract."""
    return {
        "execution_id": str(run.id),
        "team_id": run.subject_id,
        "status": status_word(run.status),
        "initial_prompt": run.input["initial_prompt"],
        "final_result": run.result if run.status == "completed" else None,
        "error_message": error_of(run),
        "started_at": stamp(run.started_at),
        "completed_at": stamp(run.finished_at),
        "created_at": stamp(run.created_at),
    }
