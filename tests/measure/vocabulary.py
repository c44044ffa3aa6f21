"""Words that names must not be made of (docs/contributing.md, "Words")."""

import ast
import re
from collections.abc import Iterator

from tests.measure.source import Function, SourceFile


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


IRREGULAR_PARTICIPLES = words_of(
    """
    asked aloud begun borne bound bought broken brought built caught chosen come cut dealt drawn driven ended fallen
    felt forgotten fought found frozen given gone got grown had heard held hid hidden hit hung kept known lacks laid
    lain led left lent let lost made meant met named paid rung said seen sent shown shut sold spent spoken stolen
    stood struck stuck swept taken taught thought thrown told torn understood wanted woken won worn wound written
    """
)
# Adjectives of the field, for booleans and states, and nouns that only look like participles.
TERMS = words_of(
    """
    approved authenticated cached cancelled completed connected created deferred degraded denied deprecated
    disconnected embed enabled exceeded expired failed feed need nested paused pooled reembed rejected related
    required resolved seed shared speed started suspended typed unauthorized updated verified
    """
)
PICTURES = words_of(
    """
    aloud around bell bells deed deeds door doorbell ear ears hear hears hush nowhere nudge parcel pen pens poke poked
    pokes ring rings say says speech standing stories story tell tells voice voices whisper
    """
)
# Columns, statuses and fields of the contracts, which keep their names.
STORED_NAMES = words_of(
    """
    applied discarded edited enhanced estimated evaluated fired matched modified priced sealed shadowed skipped staged
    supported truncated
    """
)
CLAUSES = words_of("how what when where which who whom whose why")
LIMITS = re.compile(r"(^|_)(MOST|LEAST|LONGEST|SHORTEST|LARGEST|SMALLEST|APART|FEW)(_|$)")


def offences(file: SourceFile) -> Iterator[str]:
    """`path:line name` of each name that is a participle, a clause or a picture, or a limit not named MAX_ or MIN_."""
    for node in ast.walk(file.tree):
        name = _bound_name(node)
        if name and is_offence(name, variable=not isinstance(node, Function | ast.ClassDef)):
            yield f"{file.path}:{getattr(node, 'lineno', 1)} {name}"
    module = file.path.rsplit("/", 1)[-1].removesuffix(".py")
    if is_offence(module, variable=True):
        yield f"{file.path} {module}"


def is_offence(name: str, *, variable: bool) -> bool:
    """Whether the name breaks the rules; clauses are allowed in functions (`why_not` reads as a question)."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower().split("_")
    alone = len(words) == 1 and _is_participle(words[0])
    clause = variable and words[0] in CLAUSES
    return alone or clause or bool(PICTURES.intersection(words)) or bool(LIMITS.search(name))


def _is_participle(word: str) -> bool:
    regular = word.endswith("ed") and len(word) > 4
    return (regular or word in IRREGULAR_PARTICIPLES) and word not in TERMS | STORED_NAMES


def _bound_name(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.alias(asname=name):
            return name
    return None
