"""Executions of teams: starts, states, results and logs."""

from typing import Any

from rest_framework import serializers

from config.http.fields import CharField, ChoiceField, ObjectField, StatusField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from orchestration.models import Mode, Run
from teams.definition.config_checks import config_faults
from teams.execution.state import STATUS_WORDS, State, error_of
from teams.serializers.teams import KeysField

MAX_PROMPT_LENGTH = 200_000


class ExecuteRequest(serializers.Serializer):
    """POST /teams/{id}/execute."""

    example = {"initial_prompt": "How many rooms are there?", "mode": "auto"}

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


class ExecutionSerializer(ResponseSerializer):
    """An execution; its row is a Run."""

    execution_id = serializers.UUIDField(source="id")
    team_id = serializers.UUIDField(source="subject_id")
    status = StatusField(words=STATUS_WORDS)
    initial_prompt = serializers.SerializerMethodField()
    final_result = serializers.SerializerMethodField()
    error_message = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(source="finished_at", allow_null=True)
    created_at = serializers.DateTimeField()

    def get_initial_prompt(self, run: Run) -> str:
        return str(run.input["initial_prompt"])

    def get_final_result(self, run: Run) -> JsonObject | None:
        return run.result if run.status == "completed" else None

    def get_error_message(self, run: Run) -> str | None:
        return error_of(run)


class ExecutionStatusSerializer(ResponseSerializer):
    """How far an execution is; its row is a State."""

    execution_id = serializers.UUIDField(source="run_id")
    team_id = serializers.UUIDField()
    status = StatusField(words=STATUS_WORDS)
    progress = serializers.FloatField(help_text="Percent.")
    current_step = serializers.IntegerField(help_text="From 1.")
    total_steps = serializers.IntegerField(source="total")
    active_agents = serializers.SerializerMethodField()
    completed_agents = serializers.SerializerMethodField()
    failed_agents = serializers.SerializerMethodField()
    skipped_agents = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField(allow_null=True)
    estimated_completion = serializers.DateTimeField(allow_null=True)
    error_message = serializers.CharField(source="error", allow_null=True)
    last_updated = serializers.DateTimeField(source="updated_at")

    def get_active_agents(self, state: State) -> list[str]:
        return state.agents_in("running")

    def get_completed_agents(self, state: State) -> list[str]:
        return state.agents_in("completed")

    def get_failed_agents(self, state: State) -> list[str]:
        return state.agents_in("failed")

    def get_skipped_agents(self, state: State) -> list[str]:
        return state.agents_in("skipped")


class CostSerializer(ResponseSerializer):
    """The cost of an execution in US dollars."""

    total_cost_usd = serializers.FloatField()
    agent_costs = serializers.DictField(child=serializers.FloatField())


class TokenSerializer(ResponseSerializer):
    """The tokens that an execution has used."""

    total_tokens = serializers.IntegerField()
    agent_tokens = serializers.DictField(child=serializers.IntegerField())


class ExecutionResultSerializer(ResponseSerializer):
    """The result of an execution; its row is an ExecutionResult."""

    execution_id = serializers.UUIDField(source="run.id")
    team_id = serializers.UUIDField(source="run.subject_id")
    status = StatusField(words=STATUS_WORDS, source="run.status")
    final_result = serializers.DictField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    agent_results = serializers.DictField(child=serializers.JSONField(allow_null=True))
    cost_metrics = CostSerializer(source="*")
    usage_metrics = TokenSerializer(source="*")
    started_at = serializers.DateTimeField(source="run.started_at", allow_null=True)
    completed_at = serializers.DateTimeField(source="run.finished_at", allow_null=True)
    execution_duration = serializers.FloatField(allow_null=True, help_text="Seconds.")


class LogEntrySerializer(ResponseSerializer):
    """An entry of an execution's log."""

    timestamp = serializers.DateTimeField()
    level = serializers.ChoiceField(("info", "warning", "error"))
    agent_id = serializers.CharField(allow_null=True)
    message = serializers.CharField()
    details = serializers.DictField()
