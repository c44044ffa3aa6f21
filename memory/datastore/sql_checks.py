"""A model's SQL, parsed and checked: one statement, every node of its tree on the allow-list (sql_nodes.py)."""

import re
from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from memory.datastore.sql_errors import SqlRefused
from memory.datastore.sql_nodes import ANONYMOUS, TYPES, WRITE_ROOTS

MAX_LENGTH = 10_000
MAX_JOINED_LENGTH = 16  # concatenations: thirty doublings of a text are a gigabyte
MAX_DEPTH = 60
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # what the parser renders raw must be one


def parse_statement(text: str, max_length: int = MAX_LENGTH) -> exp.Expr:
    text = text.strip().rstrip(";").strip()
    if not text or len(text) > max_length:
        raise SqlRefused(f"Must be one statement of at most {max_length} characters.")
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise SqlRefused("The SQL has half a character.")
    if "\x00" in text or _depth(text) > MAX_DEPTH:
        raise SqlRefused("The statement is nested too deeply.")
    try:
        _check_tokens(text)
        trees = [tree for tree in sqlglot.parse(text, read="postgres") if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as fault:
        raise SqlRefused(f"The SQL cannot be read: {str(fault).splitlines()[0][:200]}") from None
    if len(trees) != 1:
        raise SqlRefused("Only a single statement may be run.")
    return trees[0]


def _check_tokens(text: str) -> None:
    """Refuse what the parser reads as something else than PostgreSQL does."""
    tokens = sqlglot.tokenize(text, read="postgres")
    for token, after in zip(tokens, tokens[1:], strict=False):
        if token.token_type == TokenType.NUMBER and after.text.startswith("_") and after.start == token.end + 1:
            raise SqlRefused("Write numbers without _.")
        if token.token_type == TokenType.INTERVAL and re.search(r"\bago\b", after.text, re.IGNORECASE):
            raise SqlRefused("Write an interval with a minus sign rather than with ago.")


def _depth(text: str) -> int:
    deepest = level = 0
    for character in text:
        level += (character == "(") - (character == ")")
        deepest = max(deepest, level)
    return deepest


def check_nodes(
    tree: exp.Expr, node_types: frozenset[type[exp.Expr]], tables: Collection[str], root: exp.Expr | None = None
) -> None:
    """Refuse the first node that is not allowed, naming it."""
    own = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    if own & set(tables):
        raise SqlRefused(f"A WITH must not take the name of a table: {', '.join(sorted(own & set(tables)))}.")
    joins = 0
    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            if str(node.this).lower() not in ANONYMOUS:
                raise SqlRefused(f"The function {str(node.this)[:60]} is not allowed.")
            continue
        if type(node) not in node_types or (isinstance(node, WRITE_ROOTS) and node is not root):
            raise SqlRefused(f"{_name(node)} is not allowed.")
        if isinstance(node, exp.Table):
            _check_table(node, {*tables, *own})
        elif isinstance(node, exp.DataType):
            _check_type(node)
        elif isinstance(node, exp.Var) and not WORD.fullmatch(node.name):
            raise SqlRefused(f"{node.name[:60]!r} cannot stand here.")
        elif isinstance(node, exp.DataTypeParam) and not (isinstance(node.this, exp.Literal) and node.this.is_int):
            raise SqlRefused("The size of a type must be a whole number.")
        elif isinstance(node, exp.With) and node.args.get("recursive"):
            raise SqlRefused("WITH RECURSIVE is not allowed.")
        elif isinstance(node, exp.Select) and any(node.args.get(part) for part in ("into", "locks", "hint", "kind")):
            raise SqlRefused("SELECT INTO and row locks are not allowed.")
        elif isinstance(node, exp.Join) and str(node.args.get("side", "")).upper() == "LATERAL":
            raise SqlRefused("LATERAL is not allowed.")
        joins += isinstance(node, exp.DPipe | exp.Concat | exp.ConcatWs | exp.Replace)
        if joins > MAX_JOINED_LENGTH:
            raise SqlRefused("The statement joins too many texts.")


def _check_table(table: exp.Table, names: Collection[str]) -> None:
    if table.args.get("db") or table.args.get("catalog"):
        raise SqlRefused(f"Name the table {table.name[:60]} without a schema.")
    if not isinstance(table.this, exp.Identifier):
        raise SqlRefused("A function cannot stand for a table.")
    if table.name not in names:
        raise SqlRefused(f"There is no table {table.name[:60]!r} here; there are {', '.join(sorted(names)) or 'none'}.")
    if any(table.args.get(part) for part in ("sample", "pivots", "version", "only", "when", "ordinality", "rows_from")):
        raise SqlRefused(f"Read the table {table.name[:60]} as a whole.")


def _check_type(kind: exp.DataType) -> None:
    name = kind.this.name if hasattr(kind.this, "name") else str(kind.this)
    if name.upper() not in TYPES:
        raise SqlRefused(f"The type {str(kind.sql(dialect='postgres'))[:60]} is not allowed.")


def _name(node: exp.Expr) -> str:
    return str(getattr(node, "key", type(node).__name__)).upper()[:60]
