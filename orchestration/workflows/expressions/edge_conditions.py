"""The condition of an edge or a route: `output.priority == "urgent" and not input.vip`, read once, then cheap to ask.

Names: output, input, steps, context, event, item, with dot paths and [0]. Operators: == != < <= > >= in, not in,
contains, not contains, starts_with, ends_with, exists, not exists, and, or, not (also && || !), parentheses, literals.
They mean what governance/conditions.py says. A text that is no expression is a question for an agent.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from config.errors import DomainError
from config.values.foreign_json import read_number
from governance.conditions import compare, lookup
from orchestration.workflows.expressions.references import NAME, NAMES, WORD, UnknownStep, step_path

MAX_LENGTH = 2000
DEEPEST = 50
Value = Callable[[dict[str, Any]], Any]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op>==|!=|<=|>=|&&|\|\||[<>!=()\[\],.])
    |(?P<name>(?!\d)NAME)
    |(?P<digits>\d+)
    )""".replace("NAME", NAME),
    re.VERBOSE | re.DOTALL,
)
# Behind a dot: there 0.1 is an item of an item, not a number, and a name may begin with a digit.
_FIELD = re.compile(rf"\s*(?:(?P<digits>\d+)(?!-*{WORD})|(?P<name>{NAME}))")
_WORDS = {"and", "or", "not", "in", "contains", "starts_with", "ends_with", "exists", "true", "false", "null", "none"}
_SYMBOLS = {"&&": "and", "||": "or", "!": "not"}
_COMPARE = {"==": "equals", "!=": "not_equals", "<": "less_than", "<=": "lte", ">": "greater_than", ">=": "gte"}
_RELATE = {"in": "in", "contains": "contains", "starts_with": "starts_with", "ends_with": "ends_with"}
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_MEANT_AS_EXPRESSION = re.compile(
    rf"==|!=|<=|>=|<|>|&&|\|\||\A[\s(!]*(?:not\b[\s(!]*)*(?:{'|'.join(NAMES)})\s*(?:[.\[]|=)", re.IGNORECASE
)


class InvalidExpression(DomainError):
    """The condition cannot be read."""

    code = "WORKFLOW_VALIDATION_ERROR"


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read: `holds(scope)` asks it."""

    text: str
    value: Value

    def holds(self, scope: dict[str, Any]) -> bool:
        """Whether it is true of these names."""
        return bool(self.value(scope))


def read_condition(text: str, node_ids: Collection[str] = ()) -> Expression | None:
    """The expression, None when the text is a question in free words, or InvalidExpression when it was meant as one.

    `node_ids` are the nodes that `steps.<id>` may name; an id may itself hold dots and dashes.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidExpression(f"is longer than {MAX_LENGTH} characters")
    try:
        return Expression(text, _Parser(text, node_ids).read())
    except InvalidExpression:
        if _MEANT_AS_EXPRESSION.search(text):
            raise
        return None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    """The words of the text, with a last one of kind `end`."""
    tokens: list[_Token] = []
    at = 0
    while text[at:].strip():
        in_path = bool(tokens) and tokens[-1].text == "."
        match = (in_path and _FIELD.match(text, at)) or _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise InvalidExpression(f"has {text[at]!r} at position {at + 1}, which no expression knows; quote texts")
        kind = match.lastgroup or ""
        word, start = match.group(kind), match.start(kind)
        if kind == "op" and word in _SYMBOLS:
            kind, word = "word", _SYMBOLS[word]
        elif kind == "name" and word.lower() in _WORDS and text[max(start - 1, 0)] != ".":
            kind, word = "word", word.lower()
        tokens.append(_Token(kind, word, start))
        at = match.end()
    return [*tokens, _Token("end", "the end", len(text))]


class _Parser:
    """Recursive descent over the tokens; each rule answers a function of the scope."""

    def __init__(self, text: str, node_ids: Collection[str]) -> None:
        self.text, self.node_ids = text, node_ids
        self.tokens, self.next, self.depth = _tokens(text), 0, 0

    def read(self) -> Value:
        """The whole text's function."""
        value = self._either()
        if self._here.kind != "end":
            self._fail("an operator such as == or and")
        return value

    @property
    def _here(self) -> _Token:
        return self.tokens[self.next]

    def _take(self, *texts: str) -> str:
        """The next operator or word when it is one of these, else an empty text."""
        token = self._here
        if token.kind in ("op", "word") and token.text in texts:
            self.next += 1
            return token.text
        return ""

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(repr(text))

    def _fail(self, expectation: str) -> Any:
        token = self._here
        if token.text == "=":
            raise InvalidExpression(f"has a single = at position {token.at + 1}; write == to compare")
        raise InvalidExpression(f"needs {expectation} at position {token.at + 1}, not {token.text[:40]!r}")

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise InvalidExpression(f"is nested deeper than {DEEPEST} levels")

    def _either(self) -> Value:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda scope: any(part(scope) for part in parts)

    def _both(self) -> Value:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else lambda scope: all(part(scope) for part in parts)

    def _negation(self) -> Value:
        if not self._take("not"):
            return self._comparison()
        self._deeper()
        value = self._negation()
        self.depth -= 1
        return lambda scope: not value(scope)

    def _comparison(self) -> Value:
        left_value = self._operand()
        operator = self._operator()
        if not operator:
            return left_value
        if operator.endswith("exists"):
            return lambda scope: compare(operator, left_value(scope))
        right_value = (
            self._number_operand() if operator in ("less_than", "lte", "greater_than", "gte") else self._operand()
        )
        if self._here.text in _COMPARE:
            self._fail("and or or between two comparisons")
        return lambda scope: compare(operator, left_value(scope), right_value(scope))

    def _operator(self) -> str:
        """The evaluator's name of the operator that comes next, empty when none does."""
        symbol = self._take(*_COMPARE)
        if symbol:
            return _COMPARE[symbol]
        is_negated = self._take("not")
        word = self._take("in", "contains", "exists") if is_negated else self._take(*_RELATE, "exists")
        if is_negated and not word:
            self._fail("in, contains or exists after not")
        return f"not_{word}" if is_negated else word

    def _number_operand(self) -> Value:
        """The right side of < and its like, which compare numbers."""
        if self._here.kind == "string":
            self._fail("a number (texts have no order here)")
        return self._operand()

    def _operand(self) -> Value:
        token = self._here
        if token.kind in ("string", "number", "digits") or (token.kind == "word" and token.text in _CONSTANTS):
            self.next += 1
            constant = _constant(token)
            return lambda scope: constant
        if self._take("("):
            self._deeper()
            value = self._either()
            self.depth -= 1
            self._expect(")")
            return value
        if self._take("["):
            return self._list()
        if token.kind == "name" and token.text in NAMES:
            return self._path()
        names = ", ".join(NAMES)
        return self._fail(f"a value (a path that begins with {names}, a number, true, false, null or a quoted text)")

    def _list(self) -> Value:
        self._deeper()
        values: list[Value] = []
        while not self._take("]"):
            if values:
                self._expect(",")
            values.append(self._operand())
        self.depth -= 1
        return lambda scope: [value(scope) for value in values]

    def _path(self) -> Value:
        """A name and what follows it."""
        parts: list[str | int] = [self._here.text]
        self.next += 1
        while True:
            if self._take("."):
                parts.append(self._key("name", "number", "digits", "word"))
            elif self._take("["):
                parts.append(self._key("string", "number", "digits"))
                self._expect("]")
            else:
                break
        path = self._with_step_id(parts)
        return lambda scope: lookup(scope, path)

    def _key(self, *kinds: str) -> str | int:
        token = self._here
        if token.kind not in kinds:
            return self._fail("a field's name" if "name" in kinds else "a number or a quoted name")
        self.next += 1
        constant = _constant(token)
        return constant if isinstance(constant, int) and not isinstance(constant, bool) else _text_of(token)

    def _with_step_id(self, parts: list[str | int]) -> tuple[str | int, ...]:
        if parts[0] != "steps" or len(parts) == 1:
            return tuple(parts)
        try:
            return "steps", *step_path(parts[1:], self.node_ids)
        except UnknownStep as fault:
            raise InvalidExpression(fault.message) from None


def _text_of(token: _Token) -> str:
    """The text that a token stands for: of a string what is between its quotes."""
    if token.kind != "string":
        return token.text
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token.text[1:-1], flags=re.DOTALL)


def _constant(token: _Token) -> Any:
    if token.kind == "word":
        return _CONSTANTS.get(token.text, token.text)
    if token.kind in ("number", "digits"):
        return read_number(token.text)
    return _text_of(token)
