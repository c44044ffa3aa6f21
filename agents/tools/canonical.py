"""Canonical forms of arguments: one spelling for what can be spelled in several ways, so that a policy which forbids
one of them forbids them all.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from agents.tools.registry import Canonical
from config.errors import DomainError, Invalid
from config.outbound import client
from config.outbound.canonical_url import canonical_url
from config.values.json_types import JsonObject

Form = Callable[[Any], Any]


def canonical(**forms: Form) -> Canonical:
    """What puts each of these arguments, where there is one, into its form; Invalid naming the one that has none.

    A form raises ValueError, or a DomainError, with a sentence.
    """

    def convert(input: JsonObject) -> JsonObject:
        return input | {name: _convert(name, form, input[name]) for name, form in forms.items() if name in input}

    return convert


def _convert(name: str, form: Form, value: Any) -> Any:
    try:
        return form(value)
    except Invalid:
        raise
    except DomainError as fault:
        raise Invalid({name: [fault.message]}) from None
    except ValueError as fault:
        raise Invalid({name: [str(fault)]}) from None


def url_form(value: str) -> str:
    """The URL as it is called."""
    return str(canonical_url(value))


def uuid_form(value: str) -> str:
    """A UUID in small letters with hyphens; a text that is none stays, for it is the id of nothing."""
    try:
        return str(UUID(value))
    except ValueError:
        return value


class Headers(dict[str, str]):
    """HTTP headers by their names in lower case; a policy's condition may name them in any."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name.lower() if isinstance(name, str) else name)

    def get(self, name: str, default: Any = None) -> Any:
        """The header of this name, however it is written."""
        return super().get(name.lower(), default)


def headers_form(value: dict[str, str]) -> Headers:
    """The headers as they are sent."""
    return Headers(client.checked_headers(value))
