"""The first of the layers around a model's SQL: parsed, every node on an allow-list, rendered again from the tree.

What is not known here is refused, so that a new kind of node of the parser is refused until it is added. The
statement that runs is the rendering, never the model's text. The layers behind it hold without this one: logins.py,
sql_runner.py (RELIABILITY P10).
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlglot import exp

from memory.datastore.sql_checks import MAX_LENGTH, check_nodes, parse_statement
from memory.datastore.sql_errors import SqlRefused
from memory.datastore.sql_nodes import READ_NODES, READ_ROOTS, WRITE_NODES, WRITE_ROOTS

MAX_ROWS = 200
WITH = "with {}"  # what a WITH is called in the statement that runs: no table, nor any catalogue, has a space


@dataclass(frozen=True)
class Read:
    """A statement that may be run, and what kind of question it answers (FACTS)."""

    sql: str
    classification: str  # simple_lookup, reporting, unknown


def read_statement(text: str, tables: Collection[str]) -> Read:
    """The one SELECT, at most MAX_ROWS rows of it; SqlRefused for anything else."""
    tree = parse_statement(text)
    if not isinstance(tree, READ_ROOTS):
        raise SqlRefused("Only SELECT may be run here.")
    check_nodes(tree, READ_NODES, tables)
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
    tree = parse_statement(text)
    if not isinstance(tree, WRITE_ROOTS):
        raise SqlRefused("Only INSERT and UPDATE may be run here.")
    check_nodes(tree, READ_NODES | WRITE_NODES, tables, root=tree)
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
    again = parse_statement(sql, max_length=3 * MAX_LENGTH)
    if type(again) is not type(tree):
        raise SqlRefused("The statement is ambiguous.")
    check_nodes(again, node_types, tables, root=again)
    return sql


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
