"""What events and errors show of inputs and outputs: secrets masked, long values cut."""

from typing import Any

from config.masking import CUT, cut, mask
from config.values.foreign_json import write_json

MAIN = ("path", "command", "pattern", "message", "root", "url", "query")  # what a call may be about
MAX_EVENT_LENGTH = 2_000  # characters of an input or output that an event repeats; the step has it whole


def excerpt(value: Any, most: int = MAX_EVENT_LENGTH) -> Any:
    """The masked value: whole when it is short, else what its JSON begins with."""
    shown = mask(value, length=None)
    if isinstance(shown, str):
        return cut(shown, most)
    text = write_json(shown, default=str).decode()
    return shown if len(text) <= most else cut(text, most)


def summary(value: Any, most: int = CUT) -> str:
    """One text that shows the masked value, cut."""
    shown = excerpt(value, most)
    return shown if isinstance(shown, str) else write_json(shown, default=str).decode()


def main_argument(arguments: dict[str, Any]) -> str:
    """What a tool call is about, in a line: its path, command, pattern or message."""
    for name in MAIN:
        if isinstance(value := arguments.get(name), str) and value:
            return cut(" ".join(value.split()), CUT)
    return ""
