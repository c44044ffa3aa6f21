"""create_workflow, update_workflow: a save of a definition is checked and makes a version, to which runs are pinned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from config.database import prepared_statements
from config.errors import WorkflowInvalid, WorkflowNotFound
from governance.policies import rulesets
from orchestration.models import Workflow, WorkflowVersion
from orchestration.workflows.definition.input_schema import Schema, fitted_input
from orchestration.workflows.definition.parser import check_definition, read_graph
from orchestration.workflows.expressions.reference_checks import doubtful_references

# By hand, since every start of a run asks it: the ORM needs six times as long to say the same.
CURRENT = f"""
SELECT revision, ({rulesets.STAMP}), input_schema FROM orchestration_workflow WHERE id = %s AND tenant_id = %s
"""


@dataclass(frozen=True)
class CurrentVersion:
    """What a start needs of a workflow: its id in its plain form, the number of its latest version, the stamp of the
    tenant's policies, which start_run takes, and the schema of its input.
    """

    workflow_id: str
    revision: int
    rules_stamp: str
    input_schema: Schema | None

    def fit(self, prefix: str = "") -> Callable[[Any], Any]:
        """What start_run coerces the input by; errors name its fields behind the prefix."""
        return partial(fitted_input, self.input_schema, prefix=prefix)


def current_version(tenant_id: str, workflow_id: str) -> CurrentVersion:
    """The workflow as it is now; WorkflowNotFound without such a workflow."""
    try:
        uuid = UUID(workflow_id)
    except ValueError:
        raise WorkflowNotFound(id=workflow_id) from None
    row = prepared_statements.execute(CURRENT, [tenant_id, uuid, tenant_id])
    if row is None:
        raise WorkflowNotFound(id=workflow_id)
    schema = orjson.loads(row[2]) if isinstance(row[2], str | bytes) else row[2]
    return CurrentVersion(str(uuid), row[0], row[1], schema)


def create_workflow(tenant_id: str, fields: Mapping[str, Any], user_id: UUID | None = None) -> Workflow:
    """The new workflow with its first version; WorkflowInvalid when the definition cannot run."""
    workflow = Workflow(tenant_id=tenant_id, created_by=user_id, **fields)
    check_definition(workflow.definition, workflow.type, tenant_id)
    workflow.input_schema = workflow.definition.get("input_schema")
    with transaction.atomic():
        workflow.save(force_insert=True)
        _keep_version(workflow, user_id)
    return workflow


def update_workflow(
    tenant_id: str, workflow_id: UUID, fields: Mapping[str, Any], user_id: UUID | None = None
) -> Workflow:
    """The changed workflow, with a new version when the definition or the type is among the fields."""
    with transaction.atomic():
        rows = Workflow.objects.for_tenant(tenant_id).select_for_update(no_key=True)
        workflow = rows.filter(pk=workflow_id).first()
        if workflow is None:
            raise WorkflowNotFound(id=str(workflow_id))
        for name, value in fields.items():
            setattr(workflow, name, value)
        if "definition" in fields or "type" in fields:
            check_definition(workflow.definition, workflow.type, tenant_id)
            workflow.input_schema = workflow.definition.get("input_schema")
            workflow.revision += 1
            _keep_version(workflow, user_id)
        workflow.save()
    return workflow


def _keep_version(workflow: Workflow, user_id: UUID | None) -> None:
    WorkflowVersion.all_tenants.create(
        tenant_id=workflow.tenant_id,
        workflow_id=workflow.id,
        revision=workflow.revision,
        definition=workflow.definition,
        type=workflow.type,
        created_by=user_id,
    )


def warnings_of(workflow: Workflow) -> list[str]:
    """What is doubtful about the workflow's definition, or wrong with one that was saved under older rules."""
    try:
        graph = read_graph(workflow.definition, workflow.type)
        return graph.warnings + doubtful_references(workflow.definition, graph)
    except WorkflowInvalid as fault:
        return [fault.message]
