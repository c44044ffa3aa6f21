"""Apps in responses, and what an import and a call of an action may hold (seed 000 §4)."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.http.fields import CharField, ObjectField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from orchestration.models import App, Mode, Status
from orchestration.models.workflow import Visibility
from orchestration.serializers.runs import EXAMPLE_MOMENT, EXAMPLE_RUN

EXAMPLE_APP = App(
    key="hotel", name="Hotel", description="Front desk", owner="ana@example.com",
    scopes=[{"type": "tool", "value": "mail.send"}],
    workflows=[
        {"alias": "refund", "label": "Refund", "workflow_id": EXAMPLE_RUN.subject_id, "default_mode": Mode.DRAFT}
    ],
    actions=[
        {"id": "pay_back", "label": "Pay back", "workflow_alias": "refund", "input_mapping": {"sum": "$event.sum"}}
    ],
    created_at=EXAMPLE_MOMENT, updated_at=EXAMPLE_MOMENT,
)  # fmt: skip


def actions_of(app: App) -> list[JsonObject]:
    """The app's actions, each with the id of its workflow."""
    ids = {flow["alias"]: flow["workflow_id"] for flow in app.workflows}
    return [action | {"workflow_id": ids[action["workflow_alias"]]} for action in app.actions]


class ScopeSerializer(ResponseSerializer):
    """Something that an app may touch."""

    type = serializers.CharField(help_text="tool, memory or external")
    value = serializers.CharField()


class AppScopesSerializer(ResponseSerializer):
    """All scopes of an app."""

    example = EXAMPLE_APP

    app_id = serializers.CharField(source="key")
    scopes = ScopeSerializer(many=True)


class AppWorkflowSerializer(ResponseSerializer):
    """A workflow that an app names."""

    alias = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    workflow_id = serializers.CharField()
    default_mode = serializers.CharField()


class ActionSerializer(ResponseSerializer):
    """What an app offers to start; its row is one of actions_of()."""

    example = actions_of(EXAMPLE_APP)[0]

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    input_mapping = serializers.DictField()
    workflow_alias = serializers.CharField()
    workflow_id = serializers.CharField()


class AppSerializer(ResponseSerializer):
    """An app with all its parts."""

    example = EXAMPLE_APP

    id = serializers.CharField(source="key")
    name = serializers.CharField()
    description = serializers.CharField()
    visibility = serializers.ChoiceField(Visibility.choices)
    icon = serializers.CharField()
    owner = serializers.CharField()
    scopes = ScopeSerializer(many=True)
    workflows = AppWorkflowSerializer(many=True)
    actions = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(ActionSerializer(many=True))
    def get_actions(self, app: App) -> list[JsonObject]:
        return ActionSerializer.render_all(actions_of(app))


class StartedActionSerializer(ResponseSerializer):
    """The run that an action has started."""

    example = {
        "run_id": EXAMPLE_RUN.id,
        "status": Status.PENDING,
        "workflow_id": EXAMPLE_RUN.subject_id,
        "app_id": "hotel",
        "app_action_id": "pay_back",
        "warnings": [],
    }

    run_id = serializers.UUIDField()
    status = serializers.CharField()
    workflow_id = serializers.CharField()
    app_id = serializers.CharField()
    app_action_id = serializers.CharField()
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="References of the input_mapping that lead nowhere."
    )


class ActionRequest(serializers.Serializer):
    """POST /apps/{id}/actions/{action}: the event, and in which context it happened."""

    example = {"event": {"sum": 120}, "context": {"mode": "draft"}}

    event = ObjectField(required=False, default=dict)
    context = ObjectField(required=False, default=dict)  # type: ignore[assignment]


class ManifestRequest(serializers.Serializer):
    """A manifest. Its parts may also stand inside `app`, as in the nested form."""

    example = {
        "version": "1.0.0",
        "app": {"id": "hotel", "name": "Hotel"},
        "scopes": [{"scope_type": "tool", "scope_value": "mail.send"}],
        "workflows": [{"alias": "refund", "workflow_id": EXAMPLE_RUN.subject_id}],
        "actions": [
            {"action_id": "pay_back", "workflow_alias": "refund", "input_mapping": {"sum": "$event.sum"}},
        ],
    }

    version = CharField(help_text="1.0.0")
    app = ObjectField(help_text="{id, name, description?, visibility?, icon?, owner?}")
    scopes = serializers.ListField(child=ObjectField(), required=False, help_text="[{scope_type, scope_value}]")
    workflows = serializers.ListField(
        child=ObjectField(), required=False, help_text="[{alias, label?, workflow_id, default_mode?}]"
    )
    actions = serializers.ListField(
        child=ObjectField(), required=False, help_text="[{action_id, label?, workflow_alias, input_mapping?}]"
    )
