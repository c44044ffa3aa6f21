"""Tools as functions that a model may call: their names, their schemas in the OpenAI form, and the calls it writes."""

from agents.llm.function_calls import FunctionCall, parse_arguments
from agents.llm.messages import MAX_NAME, function_name
from agents.tools.registry import ToolSpec
from config.errors import Invalid, ToolNotFound
from config.values.json_types import Json, JsonObject

CUT_OFF = (
    "The answer ended in the middle of this call, so it was not made. Make it again, whole, with shorter arguments."
)


def functions_by_name(tools: list[ToolSpec]) -> dict[str, ToolSpec]:
    """The tools by names that models accept: letters, digits, _ and -, at most 64, each once."""
    by_name: dict[str, ToolSpec] = {}
    for tool in tools:
        plain = function_name(tool.id)
        name, number = plain, 2
        while name in by_name:
            name, number = f"{plain[: MAX_NAME - 4]}_{number}", number + 1
        by_name[name] = tool
    return by_name


def function_schema(name: str, tool: ToolSpec) -> JsonObject:
    """The tool as a function in the OpenAI form."""
    schema = {"type": "object", "properties": {}} | tool.input_schema
    return {"type": "function", "function": {"name": name, "description": tool.description, "parameters": schema}}


def resolve(tools: dict[str, ToolSpec], call: FunctionCall) -> tuple[ToolSpec, JsonObject]:
    """(the tool, the call's arguments as JSON); ToolNotFound, or Invalid for arguments that are cut or unreadable."""
    if call.name not in tools:
        raise ToolNotFound(f"There is no tool {call.name!r} among those offered.")
    if call.is_cut:
        raise Invalid({"input": [CUT_OFF]})
    return tools[call.name], parse_arguments(call.arguments)


def arguments_of(tool: ToolSpec | None, call: FunctionCall) -> Json:
    """The arguments in canonical form; as far as they cannot be read, or do not fit, as the model wrote them."""
    try:
        arguments = parse_arguments(call.arguments)
        return tool.canonical_input(arguments) if tool else arguments
    except Invalid:
        return call.arguments
