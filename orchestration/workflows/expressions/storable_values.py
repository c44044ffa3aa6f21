"""What JSON may hold to be stored: no NUL, no half characters, no numbers beyond 64 bits, no endless nesting."""

import math
from typing import Any

from orchestration.workflows.definition.problems import Problems

DEEPEST = 50


def check_storable(definition: Any, problems: Problems) -> None:
    """WorkflowInvalid when some value could not be kept as it is; walks the value without recursion."""
    waiting: list[tuple[Any, int]] = [(definition, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            problems.stop("definition", f"The definition is nested deeper than {DEEPEST} levels.")
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            waiting.extend((part, depth + 1) for part in value)
        elif fault := _fault(value):
            problems.stop("definition", f"The definition has {fault}.")


def _fault(value: Any) -> str:
    if isinstance(value, str):
        return "" if "\0" not in value and _is_unicode(value) else "a text with a character that cannot be stored"
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return "" if abs(value) < 2**63 else "a whole number of more than 64 bits; send it as a text"
    return "" if isinstance(value, float) and math.isfinite(value) else "a value that JSON does not know"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
