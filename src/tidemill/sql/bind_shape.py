"""What the shape of a query tells: whether its rows come in one order, and which columns of a call it can see."""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.sql.reads import READERS, table_is_file

SHUFFLING = (
    "group",
    "having",
    "distinct",
    "limit",
    "offset",
    "sample",
    "joins",
    "laterals",
    "qualify",
    "order",
    "pivots",
    "into",
)
# A list of six values or more becomes a hash join inside the engine, which hands rows out as its threads find them.
MANY_ROWS = (exp.AggFunc, exp.Window, exp.Query, exp.Explode, exp.Unnest, exp.In)
VOLATILE = (exp.Rand, exp.Randn, exp.Uuid, exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime)
VOLATILE_NAMES = frozenset(
    (
        *("random", "rand", "uuid", "gen_random_uuid", "generate_uuid", "uuidv4", "uuidv7", "nextval", "setseed"),
        *("now", "today", "get_current_timestamp", "get_current_time", "transaction_timestamp", "clock_timestamp"),
    )
)


def is_ordered(tree: exp.Expr) -> bool:
    """Whether rows come in the same order and with the same values each time.

    A projection or filter of one table or file; inner queries and WITH clauses of that kind included.
    """
    return isinstance(tree, exp.Select) and _plain_select(tree, {})


def _plain_select(select: exp.Select, outer: dict[str, exp.Expr]) -> bool:
    if any(select.args.get(part) for part in SHUFFLING):
        return False
    clauses = dict(outer)
    clause = select.args.get("with_")
    if isinstance(clause, exp.With):
        if clause.args.get("recursive"):
            return False
        clauses |= {name_key(cte.alias): cte.this for cte in clause.expressions}
    if not _plain_expressions(select):
        return False
    start = select.args.get("from_")
    return isinstance(start, exp.From) and _plain_source(start.this, clauses)


def _plain_source(source: exp.Expr, clauses: dict[str, exp.Expr]) -> bool:
    if source.args.get("joins") or source.args.get("sample") or source.args.get("pivots"):
        return False
    if isinstance(source, exp.Subquery):
        return isinstance(source.this, exp.Select) and _plain_select(source.this, clauses)
    if not isinstance(source, exp.Table):
        return False
    if table_is_file(source):
        return True
    if isinstance(source.this, exp.Identifier):
        inner = None if source.args.get("db") else clauses.get(name_key(source.name))
        if inner is None:
            return True
        rest = {name: query for name, query in clauses.items() if query is not inner}
        return isinstance(inner, exp.Select) and _plain_select(inner, rest)
    return isinstance(source.this, exp.ReadCSV | exp.ReadParquet) or (
        isinstance(source.this, exp.Anonymous) and source.this.name.lower() in READERS
    )


def _plain_expressions(select: exp.Select) -> bool:
    """Whether projections and filters look at one row only, as the engine carries them out, and at nothing else."""
    parts = [*select.expressions, select.args.get("where")]
    for part in parts:
        if part is None:
            continue
        for node in part.walk():
            if isinstance(node, (*MANY_ROWS, *VOLATILE)):
                return False
            if isinstance(node, exp.Kwarg) and node.this.name.lower() == "distinct_first":
                return False  # it becomes a join
            if isinstance(node, exp.Anonymous) and node.name.lower() in VOLATILE_NAMES | {"unnest"}:
                return False
    return True


def seen_names(tree: exp.Expr, names: frozenset[str]) -> frozenset[str] | None:
    """The column names a query can see of what it reads: those mentioned, or None when a star sees all.

    Reading a whole row by its source's name (``SELECT p FROM ML.PREDICT(...) AS p``) sees all, too.
    """
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return None
    whole = (exp.Columns, exp.Pivot, exp.Summarize, exp.Command, exp.PositionalColumn)
    if tree.find(*whole) is not None or not isinstance(tree, exp.Query):
        return None
    if any(join.args.get("method") == "NATURAL" for join in tree.find_all(exp.Join)):
        return None
    sources = {name_key(source.alias_or_name) for source in tree.find_all(exp.Table, exp.Subquery)}
    for column in tree.find_all(exp.Column):
        if not column.table and name_key(column.name) in sources:
            return None
    return names
