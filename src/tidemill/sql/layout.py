"""PARTITION BY, CLUSTER BY and SORT BY of a table: the order in which its rows are written.

A table's Parquet file is read by row groups of 122,880 rows, each with the least and greatest value of every column.
Rows that stand in the order of a column make these narrow: a query that asks for one day, or one customer, skips the
other row groups. So all three clauses say the same thing here, first keys first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError
from tidemill.core.names import did_you_mean, name_key
from tidemill.sql.parse_errors import placed
from tidemill.sql.statements import Query

CLAUSES = ("PARTITION BY", "PARTITIONED BY", "CLUSTER BY", "SORT BY")

ARRIVAL = frozenset({"_partitiondate", "_partitiontime"})
"""BigQuery's columns for when rows came in, which no table here has: such keys are passed over."""


def read_keys(p: Any) -> tuple[exp.Expr, ...]:
    """The keys behind one of the clauses, in brackets or not."""
    first = p._curr
    keys = p._parse_csv(p._parse_ordered)
    if not keys or any(key is None for key in keys):
        raise placed(p, "expected a column or an expression to order rows by", first)
    return tuple(key for one in keys for key in _unwrapped(one) if not _by_arrival(key))


def laid_out(query: Query, keys: Sequence[exp.Expr]) -> Query:
    """A query with its rows in the order of some keys."""
    if not keys:
        return query
    dialect = query.source.dialect
    inner = exp.Subquery(this=query.tree, alias=exp.TableAlias(this=exp.to_identifier("laid_out")))
    tree = exp.select("*").from_(inner, copy=False)
    tree.set("order", exp.Order(expressions=[key.copy() for key in keys]))
    tree.meta.update(text=query.tree.meta["text"])
    order = ", ".join(key.sql(dialect) for key in keys)
    source = replace(query.source, text=f"SELECT * FROM ({query.source.text}) AS laid_out ORDER BY {order}")
    return Query(source=source, tree=tree)


def in_order(sql: str, keys: Sequence[exp.Expr], *, engine: str) -> str:
    """Engine SQL with its rows in the order of some keys."""
    if not keys:
        return sql
    order = ", ".join(key.sql(engine) for key in keys)
    return f"SELECT * FROM ({sql}\n) AS tm_laid_out ORDER BY {order}"


def require_keys(keys: Sequence[exp.Expr], columns: Iterable[str], *, table: str) -> None:
    """Refuse keys that name something else than the table's columns; the error names it, and has no place yet.

    Raises
    ------
    BindError
        A key names no column of the table.
    """
    names = list(columns)
    known = {name_key(name) for name in names}
    for column in (column for key in keys for column in key.find_all(exp.Column)):
        # The first part of a dotted name is the column, the others are fields of it; or the table and its column.
        parts = [part.name for part in column.parts]
        if name_key(parts[0]) not in known and not (len(parts) > 1 and name_key(parts[-1]) in known):
            message = f"the rows of {table} cannot be ordered by {column.name}, which is no column of it"
            raise BindError(message, hint=did_you_mean(column.name, names), name=column.name)


def _unwrapped(key: exp.Expr) -> list[exp.Expr]:
    """The keys inside brackets; a range of BigQuery's is ordered by what it ranges over."""
    inner = key.this if isinstance(key, exp.Ordered) else key
    if isinstance(inner, exp.Paren | exp.Tuple):
        inside = inner.expressions if isinstance(inner, exp.Tuple) else [inner.this]
        return [one for part in inside for one in _unwrapped(part)]
    if isinstance(inner, exp.RangeBucket):
        key = inner = inner.this
    return [key if isinstance(key, exp.Ordered) else exp.Ordered(this=inner)]


def _by_arrival(key: exp.Expr) -> bool:
    return any(name_key(column.name) in ARRIVAL for column in key.find_all(exp.Column))
