"""The first of the layers around a model's SQL: parsed, every node on an allow-list, rendered again from the tree.

What is not known here is refused, so that a new kind of node of the parser is closed until somebody opens it. The
statement that runs is the rendering, never the model's text. The layers behind it hold without this one: roles.py,
execution.py (RELIABILITY P10).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from config.errors import DomainError

MAX_LENGTH = 10_000
MAX_ROWS = 200
MAX_JOINED_LENGTH = 16  # concatenations: thirty doublings of a text are a gigabyte
MAX_DEPTH = 60
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # what the parser renders raw must be one
WITH = "with {}"  # what a WITH is called in the statement that runs: no table, nor any catalogue, has a space


class SqlRefused(DomainError):
    """The SQL is not a single statement over tables and functions that are allowed."""

    code = "SQL_REFUSED"


def _node_types(names: str) -> frozenset[type[exp.Expr]]:
    types = {getattr(exp, name, None) for name in names.split()}
    return frozenset(kind for kind in types if kind is not None)


STRUCTURE = _node_types("""
    Select From Where Group Having Order Ordered Limit LimitOptions Offset Fetch Join Alias TableAlias Table Column
    Identifier Literal Star Distinct Tuple Paren Subquery Union Intersect Except With CTE Values Window WindowSpec
    Filter WithinGroup Var GroupingSets Rollup Cube
""")
OPERATORS = _node_types("""
    And Or Not EQ NEQ GT GTE LT LTE Between In Like ILike SimilarTo RegexpLike RegexpILike Is Null Boolean Add Sub Mul
    Div IntDiv Mod Neg DPipe Case If Cast DataType DataTypeParam Interval Exists Any All NullSafeEQ NullSafeNEQ Escape
    JSONExtract JSONExtractScalar JSONBContains JSONBContainsTopKey JSONBContainsAnyTopKeys JSONBContainsAllTopKeys
    JSONPath JSONPathRoot JSONPathKey JSONPathSubscript Bracket AtTimeZone Collate
""")
FUNCTIONS = _node_types("""
    Count Sum Avg Min Max ArrayAgg GroupConcat Stddev StddevSamp StddevPop Variance VariancePop Median PercentileCont
    PercentileDisc Mode Corr LogicalAnd LogicalOr RowNumber Rank DenseRank Ntile NTile Lag Lead FirstValue LastValue
    NthValue PercentRank CumeDist Coalesce Nullif Greatest Least Abs Round Ceil Floor Sqrt Pow Ln Log Exp Sign Trunc
    Lower Upper Trim Substring Length Concat ConcatWs StrPosition Left Right SplitPart Initcap StartsWith Replace
    Reverse TimestampTrunc DateTrunc Extract CurrentDate CurrentTimestamp Date TimeToStr ToChar StrToDate StrToTime
    TsOrDsToDate DateAdd DateSub Age RegexpReplace WidthBucket
""")
ANONYMOUS = frozenset({"age", "date_part", "make_date", "jsonb_array_length", "jsonb_typeof"})
_TYPES = """
    BOOLEAN SMALLINT INT BIGINT DECIMAL DOUBLE FLOAT TEXT VARCHAR CHAR DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL JSON
    JSONB UUID BIGDECIMAL NVARCHAR
"""
TYPES = frozenset(_TYPES.split())
READ_ROOTS = (exp.Select, exp.Union, exp.Intersect, exp.Except)
WRITE_ROOTS = (exp.Insert, exp.Update)
WRITE_NODES = _node_types("Insert Update Schema Returning OnConflict Default Placeholder")
READ_NODES = STRUCTURE | OPERATORS | FUNCTIONS


@dataclass(frozen=True)
class Read:
    """A statement that may be run, and what kind of question it answers (FACTS)."""

    sql: str
    classification: str  # simple_lookup, reporting, unknown


def read_statement(text: str, tables: Collection[str]) -> Read:
    """The one SELECT, at most MAX_ROWS rows of it; SqlRefused for anything else."""
    tree = _parse(text)
    if not isinstance(tree, READ_ROOTS):
        raise SqlRefused("Only SELECT may be run here.")
    _check(tree, READ_NODES, tables)
    return Read(_render(_limit_rows(tree), READ_NODES, tables), _classify(tree))


@dataclass(frozen=True)
class Write:
    """A statement that may be run: an INSERT or UPDATE that answers the rows it made."""

    sql: str
    table: str
    kind: str  # insert, update
    rows_sql: str | None = None  # of an update: the rows that it changes, as they are


def write_statement(text: str, tables: Collection[str]) -> Write:
    """The one INSERT or UPDATE of one of these tables; SqlRefused for anything else."""
    tree = _parse(text)
    if not isinstance(tree, WRITE_ROOTS):
        raise SqlRefused("Only INSERT and UPDATE may be run here.")
    _check(tree, READ_NODES | WRITE_NODES, tables, root=tree)
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(target, exp.Table) or target.name not in tables:
        raise SqlRefused(f"The statement must write to one of the tables {', '.join(sorted(tables)) or '(none)'}.")
    tree.set("returning", exp.Returning(expressions=[exp.Star()]))
    if isinstance(tree, exp.Insert):
        return Write(_render(tree, READ_NODES | WRITE_NODES, tables), target.name, "insert")
    return Write(_render(tree, READ_NODES | WRITE_NODES, tables), target.name, "update", _rows_of(tree, target, tables))


def _rows_of(tree: exp.Expr, target: exp.Table, tables: Collection[str]) -> str:
    """The SELECT of the rows that an UPDATE changes, in a fixed order."""
    name = target.alias_or_name
    star = exp.Column(this=exp.Star(), table=exp.to_identifier(name))
    select = exp.select(star).from_(target.copy())
    if others := tree.args.get("from_") or tree.args.get("from"):
        select = select.join(others.this.copy(), join_type="cross")
    if condition := tree.args.get("where"):
        select = select.where(condition.this.copy())
    return _render(select, READ_NODES | WRITE_NODES, tables)


def _parse(text: str, max_length: int = MAX_LENGTH) -> exp.Expr:
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


def _render(tree: exp.Expr, node_types: frozenset[type[exp.Expr]], tables: Collection[str]) -> str:
    """The statement that runs, each WITH under a name that nothing else has, so that a name out of its scope stands
    for nothing; it has passed the check as it is read again, too.
    """
    own = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name in own:
            table.set(
                "alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
            )
            table.set("this", exp.to_identifier(WITH.format(table.name), quoted=True))
    for cte in tree.find_all(exp.CTE):
        cte.args["alias"].set("this", exp.to_identifier(WITH.format(cte.alias_or_name), quoted=True))
    sql = tree.sql(dialect="postgres", comments=False)
    again = _parse(sql, max_length=3 * MAX_LENGTH)
    if type(again) is not type(tree):
        raise SqlRefused("The statement is ambiguous.")
    _check(again, node_types, tables, root=again)
    return sql


def _depth(text: str) -> int:
    deepest = level = 0
    for character in text:
        level += (character == "(") - (character == ")")
        deepest = max(deepest, level)
    return deepest


def _check(
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


def _limit_rows(tree: exp.Expr) -> exp.Expr:
    """The query with LIMIT 200, or with its own when that is a smaller number."""
    assert isinstance(tree, exp.Query)
    limit = tree.args.get("limit")
    if isinstance(limit, exp.Limit) and isinstance(limit.expression, exp.Literal) and not limit.expression.is_string:
        try:
            if int(limit.expression.this) <= MAX_ROWS:
                return tree
        except ValueError:
            pass
    return tree.limit(MAX_ROWS)


def _classify(tree: exp.Expr) -> str:
    if tree.find(exp.AggFunc) or tree.find(exp.Group) or tree.find(exp.Window):
        return "reporting"
    return "simple_lookup" if isinstance(tree, exp.Select) else "unknown"
