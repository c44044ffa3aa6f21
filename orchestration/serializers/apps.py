"""How apps look outside, and what a call of an action may hold (seed 000 §4)."""

from typing import Any

from rest_framework import serializers

from config.http.fields import CharField, ObjectField, StrictModelSerializer
from orchestration.models import App


class ScopeShape(serializers.Serializer):
    """Something that an app may touch."""

    type = serializers.CharField(help_text="tool, memory or external")
    value = serializers.CharField()


class ScopesShape(serializers.Serializer):
    """All scopes of an app."""

    app_id = serializers.CharField()
    scopes = ScopeShape(many=True)


class AppWorkflowShape(serializers.Serializer):
    """A workflow that an app names."""

    alias = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    workflow_id = serializers.CharField()
    default_mode = serializers.CharField()


class ActionShape(serializers.Serializer):
    """What an app offers to start."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    workflow_id = serializers.CharField()
    workflow_alias = serializers.CharField()
    input_mapping = serializers.DictField()


def actions_of(app: App) -> list[dict[str, Any]]:
    """The app's actions, each with the id of its workflow."""
    ids = {flow["alias"]: flow["workflow_id"] for flow in app.workflows}
    return [action | {"workflow_id": ids[action["workflow_alias"]]} for action in app.actions]


class AppSerializer(StrictModelSerializer):
    """An app with all its parts."""

    id = serializers.CharField(source="key", read_only=True)
    scopes = ScopeShape(many=True, read_only=True)
    workflows = AppWorkflowShape(many=True, read_only=True)
    actions = serializers.SerializerMethodField()

    class Meta:
        model = App
        fields = ("id", "name", "description", "visibility", "icon", "owner", "scopes", "workflows", "actions",
                  "created_at", "updated_at")  # fmt: skip
        read_only_fields = fields

    def get_actions(self, app: App) -> list[dict[str, Any]]:
        """The actions as GET /apps/{id}/actions lists them."""
        return actions_of(app)


class ActionRequest(serializers.Serializer):
    """POST /apps/{id}/actions/{action}: the event, and in which context it happened."""

    event = ObjectField(required=False, default=dict)
    context = ObjectField(required=False, default=dict)  # type: ignore[assignment]


class ManifestShape(serializers.Serializer):
    """A manifest. Its parts may also stand inside `app`, as in the nested form."""

    version = CharField(help_text="1.0.0")
    app = ObjectField(help_text="{id, name, description?, visibility?, icon?, owner?}")
    scopes = serializers.ListField(child=ObjectField(), required=False, help_text="[{scope_type, scope_value}]")
    workflows = serializers.ListField(
        child=ObjectField(), required=False, help_text="[{alias, label?, workflow_id, default_mode?}]"
    )
    actions = serializers.ListField(
        child=ObjectField(), required=False, help_text="[{action_id, label?, workflow_alias, input_mapping?}]"
    )


class ActionStartedShape(serializers.Serializer):
    """The run that an action has started."""

    run_id = serializers.UUIDField()
    status = serializers.CharField()
    workflow_id = serializers.CharField()
    app_id = serializers.CharField()
    app_action_id = serializers.CharField()
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="References of the input_mapping that lead nowhere."
    )
