"""The schemas of node types, which the API's document and the guide show, describe what the parser accepts."""

import jsonschema
import pytest

from config.errors import WorkflowInvalid
from orchestration.workflows.definition.configs import CHECKS
from orchestration.workflows.definition.graph import Graph
from orchestration.workflows.definition.node_schemas import NODE_SCHEMAS
from orchestration.workflows.definition.parser import read_graph

OTHERS = ("triage", "call_technician", "reply", "check_stock", "check_price")


def graph_with(type: str, config: dict) -> Graph:
    others = [{"id": id, "type": "static", "config": {"output": 1}} for id in OTHERS]
    node = {"id": "node", "type": type, "config": config}
    edges = [{"from": start, "to": end} for start, end in zip(("node", *OTHERS), OTHERS, strict=False)]
    return read_graph({"nodes": [node, *others], "edges": edges})


def test_each_type_is_described() -> None:
    assert set(NODE_SCHEMAS) == set(CHECKS)


@pytest.mark.parametrize("type", NODE_SCHEMAS)
def test_the_example_fits_its_schema_and_the_parser(type: str) -> None:
    described = NODE_SCHEMAS[type]
    jsonschema.validate(described.example, described.config())
    assert graph_with(type, described.example).nodes["node"].type == type


@pytest.mark.parametrize(("type", "name"), [(type, name) for type, s in NODE_SCHEMAS.items() for name in s.required])
def test_what_the_schema_requires_the_parser_requires(type: str, name: str) -> None:
    config = {key: value for key, value in NODE_SCHEMAS[type].example.items() if key != name}
    with pytest.raises(WorkflowInvalid) as fault:
        graph_with(type, config)
    assert name in str(fault.value.context)


@pytest.mark.parametrize("type", NODE_SCHEMAS)
def test_an_empty_config_is_refused_only_where_something_is_required(type: str) -> None:
    if NODE_SCHEMAS[type].required or type == "wait":  # a wait has either seconds or an event
        with pytest.raises(WorkflowInvalid):
            graph_with(type, {})
    else:
        graph_with(type, {})
