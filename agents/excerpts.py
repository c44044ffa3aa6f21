"""What events and errors show of inputs and outputs: secrets masked, long values cut."""

from typing import Any

from config.masking import MAX_INPUT_LENGTH, mask, truncate
from config.values.foreign_json import write_json
from config.values.json_types import JsonObject

MAIN = ("path", "command", "pattern", "message", "root", "url", "query")  # what a call may be about
MAX_EVENT_LENGTH = 2_000  # characters of an input or output that an event repeats; the step has it whole


def excerpt(value: Any, max_length: int = MAX_EVENT_LENGTH) -> Any:
    """The masked value: whole when it is short, else what its JSON begins with."""
    masked_value = mask(value, length=None)
    if isinstance(masked_value, str):
        return truncate(masked_value, max_length)
    text = write_json(masked_value, default=str).decode()
    return masked_value if len(text) <= max_length else truncate(text, max_length)


def summary(value: Any, max_length: int = MAX_INPUT_LENGTH) -> str:
    """One text that shows the masked value, cut."""
    masked_value = excerpt(value, max_length)
    return masked_value if isinstance(masked_value, str) else write_json(masked_value, default=str).decode()


def main_argument(arguments: JsonObject) -> str:
    """What a tool call is about, in a line: its path, command, pattern or message."""
    for name in MAIN:
        if isinstance(value := arguments.get(name), str) and value:
            return truncate(" ".join(value.split()), MAX_INPUT_LENGTH)
    return ""
