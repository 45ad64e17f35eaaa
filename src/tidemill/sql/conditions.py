"""What the text of a CHECK says about how it can be checked: found once, when its file is read.

============ ======================================================= ====================================
shape        example                                                 enough to look at
============ ======================================================= ====================================
``interval`` ``amount BETWEEN 0 AND 10``, ``at > DATE '2020-01-01'`` the least and the greatest value
``values``   ``regexp_matches(code, '^[A-Z]')``, ``c IN ('a')``      each distinct value of one column
``rows``     ``low <= high``                                         each row
``table``    ``count(*) > 0``, ``avg(x) < 3``                        one row of aggregates
``window``   ``x > lag(x) OVER (ORDER BY id)``                       all rows in order
``query``    ``c IN (SELECT code FROM codes)``                       each row, and another table
============ ======================================================= ====================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.sql.bigquery import mend_casts
from tidemill.sql.bigquery_errors import raise_errors
from tidemill.sql.bind_foreign import adapt
from tidemill.sql.dialects import generate, make_parser, parse_tokens, tokenize
from tidemill.sql.paths import path_of
from tidemill.sql.statements import Constraint
from tidemill.sql.text import Text

# Aggregates of the engine that sqlglot reads as any other call; a test compares them with the engine's own list.
AGGREGATES = frozenset(
    """
    arbitrary arg_max_null arg_max_nulls_last arg_min_null arg_min_nulls_last bitstring_agg corr count_star covar_pop
    covar_samp entropy favg fsum histogram histogram_exact kahan_sum kurtosis_pop mad mean product regr_avgx regr_avgy
    regr_sxx regr_sxy regr_syy reservoir_quantile sem sum_no_overflow sumkahan
    """.split()  # noqa: SIM905 - a list of words reads best as one
)
# Two calls of these for one value may answer differently.
UNSTABLE = frozenset(
    ("random", "rand", "setseed", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "generate_uuid", "nextval")
)
COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)
MOST_MEASURES = 4


def understand(constraint: Constraint, *, dialect: str, engine: str) -> Constraint:
    """A CHECK with what its text says; other constraints, and one that was understood before, are as they were.

    Raises
    ------
    UnsupportedError
        The condition cannot be said in the engine's SQL.
    """
    if constraint.kind != "check" or constraint.shape:
        return constraint
    tree = _parse(constraint.expression, dialect)
    names: dict[str, str] = {}
    for column in tree.find_all(exp.Column):
        names.setdefault(name_key(column.name), column.name)
    reads = tuple(names.values())
    shape = _shape(tree, reads)
    sql = constraint.expression
    if dialect != engine or "`" in sql:
        sql = _translated(tree, dialect, engine)
        tree = _parse(sql, engine)
    measures = tuple(dict.fromkeys(_measures(tree, engine))) if shape == "table" else ()
    return replace(constraint, sql=sql, shape=shape, reads=reads, measures=measures[:MOST_MEASURES])


def tables_read(constraint: Constraint, dialect: str) -> tuple[str, ...]:
    """The tables that the subqueries of a CHECK read."""
    if "select" not in constraint.expression.lower() and "from" not in constraint.expression.lower():
        return ()
    tree = _parse(constraint.expression, dialect)
    own = {name_key(one.alias_or_name) for one in tree.find_all(exp.CTE)}
    paths = [path_of(table) for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    return tuple(dict.fromkeys(path for path in paths if path and name_key(path) not in own))


def _parse(condition: str, dialect: str) -> exp.Expr:
    """A condition under a parenthesis, which it can be replaced in."""
    text = Text.of(condition, file="", dialect=dialect)
    inner: exp.Expr = parse_tokens(make_parser(text), tokenize(condition, dialect), lambda p: p._parse_assignment())
    return exp.Paren(this=inner)


def _shape(tree: exp.Expr, reads: tuple[str, ...]) -> str:
    if tree.find(exp.Query):
        return "query"
    if tree.find(exp.Window):
        return "window"
    if any(map(_is_aggregate, tree.walk())):
        return "table"
    if len(reads) != 1 or any(_is_unstable(node) for node in tree.find_all(exp.Func)):
        return "rows"
    return "interval" if _is_interval(tree) else "values"


def _is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in AGGREGATES
    return isinstance(node, exp.AggFunc | exp.AnonymousAggFunc | exp.Corr | exp.CovarPop | exp.CovarSamp)


def _is_unstable(node: exp.Func) -> bool:
    name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
    return name.lower() in UNSTABLE


def _is_interval(tree: exp.Expr) -> bool:
    """Whether the values that hold lie side by side: then the least and the greatest speak for all between them."""
    if isinstance(tree, exp.Paren):
        return _is_interval(tree.this)
    if isinstance(tree, exp.And):
        return _is_interval(tree.this) and _is_interval(tree.expression)
    if isinstance(tree, exp.Between):
        return isinstance(tree.this, exp.Column) and not any(map(_names_column, (tree.args["low"], tree.args["high"])))
    if isinstance(tree, COMPARISONS):
        sides = (tree.this, tree.expression)
        return any(isinstance(side, exp.Column) for side in sides) and not all(map(_names_column, sides))
    return False


def _names_column(node: exp.Expr) -> bool:
    return node.find(exp.Column) is not None


def _measures(tree: exp.Expr, engine: str) -> Iterator[str]:
    """The aggregates of a condition, as SQL: their values say by how much it fails."""
    found = [
        node.parent if isinstance(node.parent, exp.Filter) else node for node in tree.walk() if _is_aggregate(node)
    ]
    inner = {id(below) for node in found for below in node.walk() if below is not node}
    for node in found:
        if id(node) not in inner:
            yield generate(node, engine)


def _translated(tree: exp.Expr, dialect: str, engine: str) -> str:
    if dialect == "bigquery":
        tree = raise_errors(tree)
    tree = adapt(tree, dialect, None, None)
    if dialect == "bigquery":
        tree = mend_casts(tree)
    return generate(tree, engine)
