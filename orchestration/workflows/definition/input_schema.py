"""A workflow's `input_schema`: the JSON Schema that the input of each of its runs is coerced to (RULINGS §6)."""

from typing import Any

from config.errors import Invalid
from config.values.json_schema import schema_problems, validate_input
from orchestration.workflows.definition.problems import Problems

Schema = dict[str, Any]


def check_input_schema(definition: dict[str, Any], problems: Problems) -> None:
    """Add what is wrong with the definition's schema, when it has one."""
    if definition.get("input_schema") is not None:
        for sentence in schema_problems(definition["input_schema"]):
            problems.add("definition.input_schema", sentence)


def fitted_input(schema: Schema | None, input: Any, prefix: str = "") -> Any:
    """The input, coerced to the schema, if there is one; Invalid naming each wrong field, behind the prefix."""
    if schema is None:
        return input
    try:
        return validate_input(schema, input)
    except Invalid as unfit:
        raise Invalid({f"{prefix}{name}": sentences for name, sentences in unfit.context["errors"].items()}) from None
