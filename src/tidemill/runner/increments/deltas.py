"""New rows against each other and against the table, as engine SQL: which count, which replace, which go.

Of two rows with one key the one with the greater value of the incremental column stays, whichever came first: so the
order of deliveries does not matter, and a delivery that comes again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.columns import hide
from tidemill.core.errors import ContractError
from tidemill.core.names import name_key, quote_name

if TYPE_CHECKING:
    from tidemill.sql.incremental import Incremental
    from tidemill.warehouse.protocol import Column, Session

SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The columns that decide, in engine SQL, quoted. ``column`` is '' where only the files tell what is new.

    ``gone`` is a condition in engine SQL: the row says that its key is gone.
    """

    keys: tuple[str, ...]
    column: str = ""
    gone: str = ""

    @property
    def listed(self) -> str:
        """The key's columns, for SELECT and GROUP BY."""
        return ", ".join(self.keys)


def numbers(session: Session, sql: str) -> list[int]:
    """The one row of a query of counts."""
    (row,) = session.fetch(sql)
    return [int(count or 0) for count in row]


def one_row_a_key(session: Session, relation: str, shape: Shape, rule: Incremental, *, table: str) -> str:
    """SQL of the rows with one row for each key, the newest; '' when they are so already.

    Raises
    ------
    ContractError
        A key is NULL, or the newest rows of one key differ and nothing says which counts.
    """
    if not shape.keys:
        return ""
    nulls, twice = numbers(
        session,
        f"SELECT sum(n) FILTER (WHERE {_any_null(shape.keys)}), count(*) FILTER (WHERE n > 1) "
        f"FROM (SELECT {shape.listed}, count(*) AS n FROM {relation} GROUP BY {shape.listed})",
    )
    key = ", ".join(rule.keys)
    if nulls:
        raise ContractError(
            f"{table}: unique_key ({key}) is NULL in {nulls:,} rows; the old version stays",
            hint="leave such rows out in the query, or name columns that are always filled",
        )
    if not twice:
        return ""
    order = f"{shape.column} DESC NULLS LAST" if shape.column else "1"
    rows = f"(SELECT * FROM {relation} SEMI JOIN {_twice(relation, shape)} USING ({shape.listed}))"
    ranked = f"rank() OVER (PARTITION BY {shape.listed} ORDER BY {order}) AS tm_rank"
    newest = f"SELECT *, {ranked} FROM (SELECT DISTINCT * FROM {rows})"
    ties = f"SELECT {shape.listed} FROM ({newest}) WHERE tm_rank = 1 GROUP BY {shape.listed} HAVING count(*) > 1"
    require_none(session, ties, rule, table=table)
    return f"SELECT * FROM {relation} QUALIFY row_number() OVER (PARTITION BY {shape.listed} ORDER BY {order}) = 1"


def require_clear(session: Session, news: str, there: str, shape: Shape, rule: Incremental, *, table: str) -> None:
    """Refuse new rows that differ from what is there and are neither newer nor older, as a build of all would.

    Raises
    ------
    ContractError
        There are such rows.
    """
    column = f"n.{shape.column} IS NOT DISTINCT FROM t.{shape.column}"
    both = " AND ".join([*(f"n.{key} = t.{key}" for key in shape.keys), column])
    listed = ", ".join(f"n.{key}" for key in shape.keys)
    require_none(session, f"SELECT {listed} FROM {news} AS n SEMI JOIN {there} AS t ON {both}", rule, table=table)


def require_none(session: Session, ties: str, rule: Incremental, *, table: str) -> None:
    """Refuse rows of whose keys nothing says which row counts; ``ties`` is SQL of these keys.

    Raises
    ------
    ContractError
        There are such keys.
    """
    unclear = session.query(f"{ties} LIMIT {SHOWN}").read_all().to_pylist()
    if unclear:
        key = ", ".join(rule.keys)
        shown = [hide(row, rule.hidden) for row in unclear]
        such = ", ".join(f"({', '.join(f'{name}={value!r}' for name, value in row.items())})" for row in shown)
        by = f" with the same {rule.column}" if rule.column else ""
        raise ContractError(
            f"{table}: rows of one unique_key ({key}) differ{by}, such as {such}; the old version stays",
            hint="leave all but one out in the query, or name a column that tells them apart in unique_key",
        )


def _twice(relation: str, shape: Shape) -> str:
    return f"(SELECT {shape.listed} FROM {relation} GROUP BY {shape.listed} HAVING count(*) > 1)"


def _any_null(columns: Sequence[str]) -> str:
    return " OR ".join(f"{column} IS NULL" for column in columns)


def news_by_key(
    new: str, there: str, shape: Shape, columns: Sequence[Column], *, known: Sequence[Column], watermark: str
) -> str:
    """SQL of the new rows that say something: not those that are there already, nor those older than what is there.

    Parameters
    ----------
    new, there
        Relations of the new rows, one a key, and of the table.
    watermark
        Engine SQL of the greatest value so far: rows above it are news, and need not be looked for. '' compares all.
    """
    late = f"{shape.column} <= {watermark} OR {shape.column} IS NULL" if watermark else "TRUE"
    names = {name_key(column.name) for column in known}
    same = " AND ".join(
        f"n.{quote_name(column.name)} IS NOT DISTINCT FROM "
        + (f"t.{quote_name(column.name)}" if name_key(column.name) in names else "NULL")
        for column in columns
    )
    older = f" OR t.{shape.column} > n.{shape.column} OR (n.{shape.column} IS NULL AND t.{shape.column} IS NOT NULL)"
    keys = " AND ".join(f"n.{key} = t.{key}" for key in shape.keys)
    stale = f"SELECT 1 FROM {there} AS t WHERE {keys} AND (({same}){older if shape.column else ''})"
    first = f"SELECT * FROM {new} WHERE NOT coalesce({late}, TRUE) UNION ALL " if watermark else ""
    return f"{first}SELECT n.* FROM (SELECT * FROM {new} WHERE coalesce({late}, TRUE)) AS n WHERE NOT EXISTS ({stale})"


def news_without_key(new: str, there: str, columns: Sequence[Column], *, known: Sequence[Column]) -> str:
    """SQL of the new rows that are not there yet, each as often as it is missing."""
    names = {name_key(column.name) for column in known}
    if all(name_key(column.name) in names for column in columns):
        listed = ", ".join(quote_name(column.name) for column in columns)
        return f"SELECT {listed} FROM {new} EXCEPT ALL SELECT {listed} FROM {there}"
    # A row with values in columns that are new is the old row all the same: what was known of it decides.
    before = [quote_name(column.name) for column in known]
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {', '.join(before)}) AS tm_copy FROM"
    same = " AND ".join(f"n.{name} IS NOT DISTINCT FROM t.{name}" for name in (*before, "tm_copy"))
    known_rows = f"SELECT 1 FROM ({numbered} {there}) AS t WHERE {same}"
    return f"SELECT * EXCLUDE (tm_copy) FROM ({numbered} {new}) AS n WHERE NOT EXISTS ({known_rows})"
