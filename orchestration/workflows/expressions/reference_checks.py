"""What a save tells of references: those that cannot lead anywhere are refused, those that hardly do are doubtful.

Only saves are checked so: a version that was saved under older rules still runs.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from orchestration.workflows.definition.graph import Graph, Node
from orchestration.workflows.definition.problems import Problems, value_text
from orchestration.workflows.expressions.references import NAME, NAMES, SOURCES, Reference, texts_in

ALIKE = 0.8  # of difflib: `inptu` and `inputs` mean input
MAX_WARNINGS = 20
_MISSPELT = re.compile(rf"(?<!\$)\$({NAME})(?=[.\[])")
_SCALARS = frozenset({"string", "number", "integer", "boolean"})
_COMBINING = ("$ref", "anyOf", "oneOf", "allOf", "if", "not", "patternProperties", "dependentSchemas", "dependencies")


def check_references(definition: dict[str, Any], graph: Graph, problems: Problems) -> None:
    """Tell of references that cannot lead anywhere: to a source that is none, to `$item` outside of a map, to a field
    that the schema of the input does not let in.
    """
    schema = definition.get("input_schema")
    for at, raw in enumerate(definition["nodes"]):
        node, place = graph.nodes[raw["id"]], f"definition.nodes[{at}]"
        for path, text in texts_in(raw.get("config") or {}, "config"):
            for name, hint in _misspelt(text):
                sentence = f"refers to ${name}, which there is not; {hint}. Write $${name} for the text itself."
                problems.add(f"{place}.{path}", f"Node {node.id!r}: {sentence}")
        for reference, inside in _references(node):
            if reference.base[0] == "item" and not inside:
                sentence = f"refers to {reference.text}, but $item is known in the node of a map only."
                problems.add(f"{place}.config", f"Node {node.id!r}: {sentence}")
            elif reference.base[0] == "input" and (unknown := _outside(reference, schema)):
                sentence = f"refers to {reference.text}, but input_schema has no {unknown!r} and allows no other field."
                problems.add(f"{place}.config", f"Node {node.id!r}: {sentence}")


def _misspelt(text: str) -> Iterator[tuple[str, str]]:
    """(name, what is meant) of each `$name.` that is nearly a source."""
    for name in dict.fromkeys(_MISSPELT.findall(text)):
        if name in SOURCES:
            continue
        if name == "output":
            yield name, "conditions know output, a config names $steps.<node>"
        elif near := get_close_matches(name.lower(), NAMES, n=1, cutoff=ALIKE):
            yield name, f"did you mean ${'steps.<node>' if near[0] == 'output' else near[0]}?"


def _references(node: Node) -> Iterator[tuple[Reference, bool]]:
    """(reference, whether it stands in the node of a map)."""
    for reference in node.references:
        yield reference, False
    for reference in node.inner.references if node.inner else ():
        yield reference, True


def _outside(reference: Reference, schema: Any) -> str:
    """The part of the path that the schema does not let in; empty when it may be there."""
    for part, _ in reference.rest:
        if not isinstance(schema, dict) or any(word in schema for word in _COMBINING):
            return ""
        if schema.get("type") in _SCALARS:
            return str(part) if reference.alone else ""
        fields = schema.get("properties")
        if isinstance(fields, dict) and part in fields:
            schema = fields[part]
        elif schema.get("additionalProperties") is False and schema.get("type", "object") == "object":
            return str(part)
        else:
            schema = schema.get("items") if isinstance(part, int) or part.isdigit() else None
    return ""


def doubtful_references(definition: dict[str, Any], graph: Graph) -> list[str]:
    """Sentences about references that lead nowhere as far as the definition shows."""
    outputs = {raw["id"]: _output_of(raw, graph.nodes[raw["id"]]) for raw in definition["nodes"]}
    before: dict[str, set[str]] = {}
    warnings: list[str] = []
    for node in graph.nodes.values():
        for reference, _ in _references(node):
            if reference.base[0] != "steps" or len(reference.base) < 2:
                continue
            step = str(reference.base[1])
            if step not in before:
                before[step] = _nodes_after(graph, step)
            if node.id not in before[step]:
                warnings.append(f"Node {node.id!r} refers to {reference.text}, but {step!r} never runs before it.")
            elif (missing := _missing(reference, outputs[step])) is not None:
                warnings.append(f"Node {node.id!r} refers to {reference.text}, but {step!r} answers no {missing!r}.")
            if len(warnings) == MAX_WARNINGS:
                return warnings
    return warnings


def _output_of(raw: dict[str, Any], node: Node) -> Any:
    """What a static or transform node answers, as far as it is written down; None when it is not."""
    if node.type not in ("static", "transform") or node.on_error != "fail":
        return None
    return node.config.get("output")


def _missing(reference: Reference, output: Any) -> str | None:
    """The part of the path that the output surely does not have."""
    for part, _ in reference.rest:
        if not isinstance(output, dict):
            return None
        if part not in output:
            return value_text(part).strip("'")
        output = output[part]
    return None


def _nodes_after(graph: Graph, start: str) -> set[str]:
    """The nodes that may run after this one."""
    reachable: set[str] = set()
    waiting = [start]
    while waiting:
        node = graph.nodes[waiting.pop()]
        for target in (*node.all_ways, *(edge.target for edge in node.edges)):
            if target not in reachable:
                reachable.add(target)
                waiting.append(target)
    return reachable
