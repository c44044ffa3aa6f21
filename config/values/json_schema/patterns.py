"""Regular expressions of JSON Schema (ECMA-262), matched by RE2: in time linear in the text, whatever the pattern.

What the two write differently is rewritten; what RE2 cannot do is refused, with what to write instead.
"""

import re
from functools import lru_cache
from typing import Any, Final

import re2

MAX_PATTERN = 2_000  # characters
MAX_REPEAT = 1_000  # RE2's own
MAX_WORK = 200_000_000  # steps of RE2's slow way, characters by instructions: about a second
OPTIONS: Final[Any] = re2.Options()
OPTIONS.log_errors = False
SPACE = r"\t\n\v\f\r \x{feff}\p{Z}"
NOT_DOT = r"\n\r\x{2028}\x{2029}"
ANY = r"[\x{0}-\x{10ffff}]"
NONE = r"[^\x{0}-\x{10ffff}]"
TOKEN = re.compile(
    r"""
      \\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})  # one character in two halves
    | \\u(?:(?P<hex4>[0-9a-fA-F]{4})|\{(?P<hex>[0-9a-fA-F]{1,6})\}) | \\x(?P<hex2>[0-9a-fA-F]{2})
    | \\c(?P<control>[A-Za-z]) | (?P<nul>\\0(?![0-9]))
    | \\(?P<sign>[pP])\{(?P<property>[^{}]*)\}
    | (?P<back>\\[1-9]|\\k) | \\(?P<escaped>.)
    | (?P<look>\(\?<?[=!]) | \(\?P?<(?P<name>[^<>()]*)>
    | \{(?P<low_count>\d+)(?:(?P<comma>,)(?P<high_count>\d*))?\}
    | (?P<plain>.)
    """,
    re.VERBOSE | re.DOTALL,
)
CHARACTER = re.compile(r"(?P<plain>.)", re.DOTALL)
OUTSIDE = frozenset({"look", "name", "low_count", "high_count", "comma"})  # what means itself within [ ]
# The long names of Unicode's general categories; RE2 knows the short ones, and scripts by their names alone.
CATEGORIES = {
    "Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "Letter_Number": "Nl",
    "Other_Number": "No", "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc", "Dash_Punctuation": "Pd",
    "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi", "Final_Punctuation": "Pf",
    "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk",
    "Other_Symbol": "So", "Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl",
    "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Private_Use": "Co",
    "Uppercase": "Lu", "Lowercase": "Ll", "Alphabetic": "L", "Alpha": "L", "digit": "Nd",
}  # fmt: skip


class PatternRefused(ValueError):
    """The pattern cannot be matched; the message says why and what to write instead."""


class TextTooLong(ValueError):
    """The text is too long for a pattern of this size."""


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is somewhere in the text. Raises PatternRefused, TextTooLong."""
    regex = compile_pattern(pattern)
    if len(text) * regex.programsize > MAX_WORK:
        raise TextTooLong(
            f"is too long for the pattern {excerpt(pattern)}: at most {MAX_WORK // regex.programsize:,} characters"
        )
    try:
        return regex.search(text) is not None
    except UnicodeEncodeError:  # half a character
        return regex.search(text.encode("utf-8", "replace").decode()) is not None


def excerpt(pattern: str) -> str:
    """The pattern as messages name it."""
    text = pattern if len(pattern) <= 100 else f"{pattern[:100]}…"
    return f"'{text}'" if text.isprintable() else repr(text)


@lru_cache(maxsize=2_000)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern; PatternRefused when RE2 cannot match it."""
    if len(pattern) > MAX_PATTERN:
        raise PatternRefused(f"The pattern {excerpt(pattern)} has more than {MAX_PATTERN:,} characters; shorten it.")
    try:
        return re2.compile(_rewritten(pattern), OPTIONS)
    except re2.error as fault:
        reason = fault.args[0].decode(errors="replace") if isinstance(fault.args[0], bytes) else str(fault)
        remedy = "shorten its repeats, or use maxLength" if "too large" in reason else "correct it"
        raise PatternRefused(f"The pattern {excerpt(pattern)} cannot be used: {reason}; {remedy}.") from None
    except UnicodeEncodeError:
        raise PatternRefused(f"The pattern {excerpt(pattern)} holds half a character; write it whole.") from None


def _rewritten(pattern: str) -> str:
    """The pattern in RE2's syntax, token by token."""
    parts: list[str] = []
    at, inside = 0, False  # within [ ]
    while at < len(pattern):
        if not inside and (bracket := next((b for b in ("[^]", "[]") if pattern.startswith(b, at)), "")):
            parts.append(ANY if bracket == "[^]" else NONE)
            at += len(bracket)
            continue
        token = TOKEN.match(pattern, at)
        if inside and token and token.lastgroup in OUTSIDE:
            token = CHARACTER.match(pattern, at)
        assert token, "any character is a token"
        parts.append(_token(token, pattern, inside))
        if token["plain"] in ("[", "]"):
            inside = token["plain"] == "["
        at = token.end()
    return "".join(parts)


def _token(token: re.Match[str], pattern: str, inside: bool) -> str:
    groups = token.groupdict()
    if groups.get("plain"):
        return _plain(groups["plain"], inside)
    if groups["look"] or groups["back"]:
        _refuse(groups["look"], pattern)
    if groups["high"]:
        codepoint = (int(groups["high"], 16) - 0xD800 << 10) + int(groups["low"], 16) - 0xDC00 + 0x10000
        return rf"\x{{{codepoint:x}}}"
    if digits := groups["hex4"] or groups["hex"] or groups["hex2"]:
        return rf"\x{{{digits}}}"
    if groups["control"]:
        return rf"\x{{{ord(groups['control']) % 32:x}}}"
    if groups["nul"]:
        return r"\x{0}"
    if groups["property"] is not None:
        return _property(groups["sign"], groups["property"])
    if groups["escaped"]:
        return _escape(groups["escaped"], inside)
    if groups["name"] is not None:
        return "("
    return _repeat(token, pattern)


def _plain(character: str, inside: bool) -> str:
    if inside:
        return r"\[" if character == "[" else character
    return f"[^{NOT_DOT}]" if character == "." else character


def _escape(character: str, inside: bool) -> str:
    if character == "s":
        return SPACE if inside else f"[{SPACE}]"
    if character == "S" and not inside:
        return f"[^{SPACE}]"
    if character == "b" and inside:
        return r"\x{8}"
    if character == "Z":  # Python's end of the text
        return r"\z"
    return f"\\{character}" if character.isascii() and character != "_" else character


def _property(sign: str, name: str) -> str:
    label, _, value = name.rpartition("=")
    if label in ("", "General_Category", "gc"):
        value = CATEGORIES.get(value, value)
    return f"\\{sign}{{{value}}}"


def _repeat(token: re.Match[str], pattern: str) -> str:
    if int(token["low_count"]) > MAX_REPEAT or int(token["high_count"] or 0) > MAX_REPEAT:
        raise PatternRefused(
            f"The pattern {excerpt(pattern)} cannot be used: it repeats more than {MAX_REPEAT:,} times "
            f"({token[0]}); use * or + with minLength and maxLength."
        )
    return token[0]


def _refuse(look: str | None, pattern: str) -> None:
    if look:
        remedy = "describe what the text must be, or split it into several patterns with allOf and not"
        raise PatternRefused(
            f"The pattern {excerpt(pattern)} cannot be used: it looks ahead or behind ({look}…), which is not "
            f"supported; {remedy}."
        )
    raise PatternRefused(
        f"The pattern {excerpt(pattern)} cannot be used: back references (\\1, \\k<name>) are not supported; write the "
        "part again, or use enum."
    )
