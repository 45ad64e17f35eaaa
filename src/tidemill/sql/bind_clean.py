"""CLEAN functions that stand where a table may: each becomes a subquery in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError
from tidemill.sql.bind_calls import CallFacts, read_call
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.scalar_call import place_of


def expand_tables(tree: exp.Expr) -> bool:
    """Put subqueries in the place of CLEAN calls, in the tree itself; whether there were any.

    Calls inside the data of an ML function stay: they are expanded when that data is bound.

    Raises
    ------
    BindError
        A call has arguments that its function does not take.
    """
    found = False
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, MLCall):
            if not node.function.startswith("CLEAN."):
                continue
            node = _expand(node)
            found = True
        stack.extend(node.iter_expressions())
    return found


def _expand(call: MLCall) -> exp.Expr:
    facts = read_call(call)
    table = call.parent
    query = TABLES[facts.function.name](call, facts)
    subquery = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("tm_clean", quoted=True)))
    for part in ("alias", "pivots", "sample", "joins", "laterals"):
        if table is not None and table.args.get(part):
            subquery.set(part, table.args[part])
    if table is not None:
        table.replace(subquery)
    return subquery


def _latest(call: MLCall, facts: CallFacts) -> exp.Expr:
    """One row of each key, the one that is last in the order; rows without a whole key stay.

    One column of the order after the other narrows the rows of a key to those with its largest value, NULL last: a
    maximum over a window costs a tenth of sorting the rows (2 M rows, 3,650 keys). Rows that are equal in key and order
    are told apart by a hash of all their columns, so that it is always the same one.
    """
    where = place_of(call)
    if len(facts.arguments) != 2:
        hint = "CLEAN.LATEST(TABLE t, 'key', 'updated_at'), or ['key', 'key'] for a key of several columns"
        message = f"CLEAN.LATEST takes two names, the key and what orders it; {len(facts.arguments)} given"
        raise BindError(message, where=where, hint=hint, function="CLEAN.LATEST")
    keys, orders = (_names(value, what, call) for value, what in zip(facts.arguments, ("key", "order"), strict=True))
    source = facts.inputs[0].this.copy()
    data = exp.select("*").from_(source, copy=False) if facts.inputs[0].kind == "table" else source
    missing = [exp.Is(this=_column(name), expression=exp.null()) for name in keys]
    for name in orders:
        largest = exp.Window(this=exp.Max(this=_column(name)), partition_by=[_column(key) for key in keys], over="OVER")
        data = _narrowed(data, missing, exp.NullSafeEQ(this=_column(name), expression=largest))
    told_apart = exp.Window(
        this=exp.RowNumber(),
        partition_by=[_column(name) for name in keys],
        order=exp.Order(expressions=[exp.Anonymous(this="hash", expressions=[exp.column(_rows())])]),
        over="OVER",
    )
    return _narrowed(data, missing, exp.EQ(this=told_apart, expression=exp.Literal.number(1)))


def _narrowed(data: exp.Expr, missing: Sequence[exp.Expr], condition: exp.Expr) -> exp.Expr:
    """The rows that keep a condition over their key's rows, and those without a whole key."""
    inner = exp.Subquery(this=data, alias=exp.TableAlias(this=_rows()))
    kept = exp.or_(*(one.copy() for one in missing), condition, copy=False)
    return exp.select("*").from_(inner, copy=False).qualify(kept, copy=False)


def _rows() -> exp.Identifier:
    return exp.to_identifier("tm_rows", quoted=True)


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _names(value: object, what: str, call: MLCall) -> Sequence[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        message = f"{call.function}: the {what} is the name of a column, or an array of names"
        raise BindError(message, where=place_of(call), hint="write 'id' or ['id', 'day']", function=call.function)
    return names


TABLES: MappingProxyType[str, Callable[[MLCall, CallFacts], exp.Expr]] = MappingProxyType({"CLEAN.LATEST": _latest})
"""What writes each table function."""
