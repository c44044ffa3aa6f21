"""Secrets are masked and long inputs truncated before they leave the process: in errors, logs, events, audit rows."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

MASK = "***"
MAX_INPUT_LENGTH = 200  # characters of an input that an error or a log may repeat

SECRET_WORDS = frozenset(
    ("password", "passwd", "pwd", "passphrase", "token", "secret", "secrets", "key", "keys", "apikey")
    + ("authorization", "cookie", "credential", "credentials")
)
SECRET_TEXT = re.compile(
    r"llm_[\w-]{20,}|sk-[\w-]{8,}|whsec_[\w+/=-]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=[Bb]earer )[\w.~+/=-]+"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # a URL's user and password
)
WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
LONG_WORD = re.compile(rf"(\S{{{MAX_INPUT_LENGTH}}})\S+")


def is_secret_name(name: object) -> bool:
    """True when a field of this name holds a secret: one of its words is password, token, secret, key …"""
    return any(word.lower() in SECRET_WORDS for word in WORD.findall(str(name)))


def mask_text(text: str) -> str:
    """The text without the tokens and keys that are recognised by their form."""
    return SECRET_TEXT.sub(MASK, text)


def truncate(text: str, length: int = MAX_INPUT_LENGTH) -> str:
    """The text, or its first `length` characters and an ellipsis."""
    return text if len(text) <= length else text[:length] + "…"


def mask(value: Any, name: object = "", length: int | None = MAX_INPUT_LENGTH) -> Any:
    """A copy of a JSON value with every secret masked and every text truncated (`length=None` leaves texts whole)."""
    if isinstance(value, Mapping):
        return {key: mask(item, key if not is_secret_name(name) else name, length) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask(item, name, length) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_secret_name(name):
        return MASK
    text = mask_text(str(value))
    return text if length is None else truncate(text, length)


def leaves(value: Any, name: object = "") -> Iterator[tuple[object, str]]:
    """Each text of a JSON value with the name that it stands under (the outermost secret name, when there is one)."""
    stack = [(name, value)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping):
            stack.extend((name if is_secret_name(name) else key, item) for key, item in value.items())
        elif isinstance(value, list | tuple):
            stack.extend((name, item) for item in value)


def scrub(text: str, inputs: Any) -> str:
    """The text without the secrets that `inputs` (a request's data) holds, and with its long inputs truncated."""
    for name, value in leaves(inputs):
        if len(value) > 3 and (is_secret_name(name) or len(value) > MAX_INPUT_LENGTH) and value in text:
            text = text.replace(value, MASK if is_secret_name(name) else truncate(value))
    return LONG_WORD.sub(r"\1…", mask_text(text))
