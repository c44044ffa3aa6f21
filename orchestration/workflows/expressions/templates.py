"""`{{ … }}` in agents' prompts: sandboxed templates over input, steps, context, event and item, with hard limits.

`$input.x` and its like are filled in too, in the prompt's text (as_template makes templates of them). What comes in as
data is never read as a template. Loops and if are there; set, macro, include and import are not.
"""

import functools
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.errors import DomainError
from config.values.foreign_json import clean_text
from orchestration.workflows.expressions import template_limits as limits
from orchestration.workflows.expressions.references import SOURCES, Reference, split_text

MAX_TEMPLATE_LENGTH = 50_000
MAX_OUTPUT_LENGTH = 400_000
DEEPEST_LOOPS = 5
_FORBIDDEN_NODES = (
    nodes.Assign, nodes.AssignBlock, nodes.Block, nodes.CallBlock, nodes.Extends, nodes.FilterBlock, nodes.FromImport,
    nodes.Import, nodes.Include, nodes.Macro, nodes.With,
)  # fmt: skip


class TemplateFailed(DomainError):
    """The prompt's template cannot be filled in."""

    code = "TEMPLATE_ERROR"


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox without its optimiser. Data is data: a field is a field, whatever methods Python gives it."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    methods: Mapping[type, frozenset[str]] = {
        str: frozenset(["startswith", "endswith", "lower", "upper", "strip", "split", "splitlines", "title", "find"]),
        dict: frozenset(["get", "items", "keys", "values"]),
        LoopContext: frozenset(["index", "index0", "first", "last", "length", "previtem", "nextitem"]),
    }

    def __init__(self) -> None:
        super().__init__(
            undefined=jinja2.StrictUndefined, optimized=False, finalize=limits.as_output, keep_trailing_newline=True
        )
        self.globals = {"range": range}
        self.filters = {**limits.allowed_filters(self.filters), **limits.FILTERS, "reference": limits.reference}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The field of an object; else one of the few methods that a template may call."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, jinja2.Undefined):
            return obj  # so that input.a.b | default('') needs neither
        methods = next((names for kind, names in self.methods.items() if isinstance(obj, kind)), ())
        return getattr(obj, attribute) if attribute in methods else self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The field of an object or the item of a list."""
        if isinstance(obj, jinja2.Undefined):
            return obj
        if isinstance(obj, dict | list | tuple | str) and isinstance(argument, str | int):
            try:
                return obj[argument]  # type: ignore[index]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:
        """Only range and the methods above."""
        owner = getattr(obj, "__self__", None)
        return obj is range or any(
            isinstance(owner, kind) and getattr(obj, "__name__", "") in names for kind, names in self.methods.items()
        )

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The call's answer, weighed."""
        return limits.with_cost(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, first: Any, second: Any) -> Any:
        """Arithmetic of moderate numbers, and the sum of two texts or lists."""
        limits.check_operands(operator, first, second)
        return limits.with_cost(super().call_binop(context, operator, first, second))


_environment = _Environment()


def check(text: str) -> str:
    """What is wrong with a template's syntax, an empty text when nothing is."""
    try:
        if is_template(text):
            _compile(text)
    except TemplateFailed as fault:
        return fault.message
    return ""


def is_template(text: str) -> bool:
    """Whether the text has anything that a template would act on."""
    return "{{" in text or "{%" in text or "{#" in text


def as_template(text: str, node_ids: Collection[str]) -> tuple[str, tuple[Reference, ...]]:
    """(the prompt as a template, its `$…` references): each one in its text becomes one that is filled in safely."""
    template, references = "", []
    for piece, is_text in _pieces(text):
        parts: list[str | Reference] = split_text(piece, node_ids) if is_text else [piece]
        for at, part in enumerate(parts, start=1):
            if isinstance(part, Reference):
                template += f"{{{{ {list(part.base)!r} | reference({list(part.rest)!r}) }}}}"
                references.append(replace(part, alone=False))
            else:
                template += part[:-1] + "{{ '{' }}" if part.endswith("{") and at < len(parts) else part
    return template, tuple(dict.fromkeys(references))


def _pieces(text: str) -> list[tuple[str, bool]]:
    """(piece, whether it is text in which references count) of a prompt, in order."""
    if not is_template(text):
        return [(text, True)]
    pieces, raw = [], False
    try:
        for _, kind, piece in _environment.lex(text):
            raw = kind == "raw_begin" or (raw and kind != "raw_end")
            pieces.append((piece, kind == "data" and not raw))
    except jinja2.TemplateSyntaxError:
        return [(text, False)]  # `check` tells what is wrong
    return pieces


def render(text: str, scope: dict[str, Any]) -> str:
    """The prompt with its template filled in; TemplateFailed says what is missing or too large."""
    if not is_template(text):
        return text
    template = _compile(text)
    names = {name: scope[name] for name in SOURCES if name in scope}
    token = limits.start()
    pieces, size = [], 0
    try:
        for piece in template.generate(**names):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_OUTPUT_LENGTH:
                raise TemplateFailed(f"The prompt's template makes more than {MAX_OUTPUT_LENGTH:,} characters.")
    except (jinja2.TemplateError, limits.TooMuch, TypeError, ValueError, ArithmeticError, LookupError) as fault:
        _explain(fault)
    finally:
        limits.stop(token)
    return clean_text("".join(pieces))


def _explain(fault: Exception) -> NoReturn:
    message = str(fault).replace("'dict object'", "the data").rstrip(".")
    hint = "; write {{ x | default('') }} where something may be missing" if "has no" in message else ""
    raise TemplateFailed(f"The prompt's template cannot be filled in: {message}{hint}.") from fault


@functools.lru_cache(maxsize=128)
def _compile(text: str) -> jinja2.Template:
    if len(text) > MAX_TEMPLATE_LENGTH:
        raise TemplateFailed(f"is longer than {MAX_TEMPLATE_LENGTH:,} characters")
    try:
        tree = _environment.parse(text)
        _restrict(tree)
        return jinja2.Template.from_code(_environment, _environment.compile(tree), {**_environment.globals})
    except jinja2.TemplateSyntaxError as fault:
        raise TemplateFailed(f"has a fault in line {fault.lineno}: {fault.message}") from None
    except (RecursionError, SyntaxError, MemoryError, OverflowError):
        raise TemplateFailed("is nested too deep") from None


def _restrict(tree: nodes.Template) -> None:
    """Refuse what templates here do not have, and put loops, slices and `~` under the limits."""
    forbidden = next(tree.find_all(_FORBIDDEN_NODES), None)
    if forbidden is not None:
        raise TemplateFailed(
            f"uses {type(forbidden).__name__.lower()} in line {forbidden.lineno}; only for and if are there"
        )
    _restrict_expressions(tree, 0)


def _restrict_expressions(node: nodes.Node, loops: int) -> None:
    if isinstance(node, nodes.For):
        loops += 1
        if node.recursive or loops > DEEPEST_LOOPS:
            raise TemplateFailed(f"has a loop in line {node.lineno} that is recursive or deeper than {DEEPEST_LOOPS}")
        node.iter = _with_filter(node.iter, "each_of")
    for name, value in list(node.iter_fields()):
        if isinstance(value, nodes.Node):
            setattr(node, name, _with_limits(value))
        elif isinstance(value, list):
            setattr(node, name, [_with_limits(item) if isinstance(item, nodes.Node) else item for item in value])
    for child in node.iter_child_nodes():
        _restrict_expressions(child, loops)


def _with_limits(node: nodes.Node) -> nodes.Node:
    """`a ~ b` and `a[1:2]` as filters that weigh what they make; any other node as it is."""
    if isinstance(node, nodes.Concat):
        return _with_filter(nodes.List(node.nodes, lineno=node.lineno), "joined")
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
        none = nodes.Const(None, lineno=node.lineno)
        bounds = [edge or none for edge in (node.arg.start, node.arg.stop, node.arg.step)]
        return _with_filter(node.node, "part", bounds)
    return node


def _with_filter(node: Any, name: str, args: list[nodes.Expr] | None = None) -> nodes.Filter:
    return nodes.Filter(node, name, args or [], [], None, None, lineno=node.lineno, environment=_environment)
