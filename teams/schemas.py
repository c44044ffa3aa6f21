"""What the OpenAPI document says of the answers about executions."""

from rest_framework import serializers


class DoneShape(serializers.Serializer):
    """That it is done."""

    status = serializers.CharField()
    message = serializers.CharField()


class StatusShape(serializers.Serializer):
    """How an execution stands."""

    execution_id = serializers.UUIDField()
    team_id = serializers.UUIDField()
    status = serializers.CharField()
    progress = serializers.FloatField(help_text="Percent.")
    current_step = serializers.IntegerField(help_text="From 1.")
    total_steps = serializers.IntegerField()
    active_agents = serializers.ListField(child=serializers.CharField())
    completed_agents = serializers.ListField(child=serializers.CharField())
    failed_agents = serializers.ListField(child=serializers.CharField())
    skipped_agents = serializers.ListField(child=serializers.CharField())
    started_at = serializers.DateTimeField(allow_null=True)
    estimated_completion = serializers.DateTimeField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    last_updated = serializers.DateTimeField()


class CostShape(serializers.Serializer):
    """What an execution has cost, in US dollars."""

    total_cost_usd = serializers.FloatField()
    agent_costs = serializers.DictField(child=serializers.FloatField())


class TokenShape(serializers.Serializer):
    """The tokens that an execution has used."""

    total_tokens = serializers.IntegerField()
    agent_tokens = serializers.DictField(child=serializers.IntegerField())


class ResultShape(serializers.Serializer):
    """What an execution came to."""

    execution_id = serializers.UUIDField()
    team_id = serializers.UUIDField()
    status = serializers.CharField()
    final_result = serializers.DictField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    agent_results = serializers.DictField()
    cost_metrics = CostShape()
    usage_metrics = TokenShape()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    execution_duration = serializers.FloatField(allow_null=True, help_text="Seconds.")


class LogShape(serializers.Serializer):
    """An entry of an execution's log."""

    timestamp = serializers.DateTimeField()
    level = serializers.CharField()
    agent_id = serializers.CharField(allow_null=True)
    message = serializers.CharField()
    details = serializers.DictField()
