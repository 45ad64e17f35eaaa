"""What the catalogue's statistics say of columns once rows are gone: the least and the greatest value, and how many.

DuckLake passes over files by these bounds. Those that are too tight hide rows; those that are left as they were tell
values that were erased.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.names import quote_name, quote_text
from tidemill.warehouse.duckdb.bounds import WIDEST
from tidemill.warehouse.duckdb.commits import read_catalogue
from tidemill.warehouse.duckdb.holding import columns_of, relation_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tidemill.warehouse.duckdb.engine import Engine

_COLUMNS = "SELECT DISTINCT table_id, column_id, parent_column, column_name, column_type FROM ducklake_column"

# DuckLake widens the bounds of a table and never narrows them: a row that is in no file any more may still be one.
_STALE = """
SELECT t.table_id, t.column_id FROM ducklake_table_column_stats AS t
WHERE (t.min_value IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM ducklake_file_column_stats AS f
    WHERE f.table_id = t.table_id AND f.column_id = t.column_id AND f.min_value = t.min_value
)) OR (t.max_value IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM ducklake_file_column_stats AS f
    WHERE f.table_id = t.table_id AND f.column_id = t.column_id AND f.max_value = t.max_value
))
"""
_TABLE_BOUNDS = "SELECT table_id, column_id, min_value, max_value FROM ducklake_table_column_stats"

Bounds = Mapping[int, tuple[int, int, str | None, str | None]]
"""Values, NULLs, the least and the greatest value as texts, by the number of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A column, or a field in one: how SQL and Parquet name it, the column it stands in, and whether it may be NaN."""

    path: str
    place: str
    root: str
    floats: bool


def named_columns(engine: Engine) -> dict[int, dict[int, Named]]:
    """The columns of each table and the fields in them, by number; not what is in lists, whose bounds have no name."""
    rows = read_catalogue(engine, _COLUMNS)
    found: dict[int, dict[int, Named]] = {}
    for table, number, parent, name, kind in rows:
        parts, above = [str(name)], parent
        while above is not None:
            _, _, above, outer, of = next(row for row in rows if row[:2] == (table, above))
            parts = [str(outer), *parts] if of == "struct" and parts else []
        if parts:
            path, floats = ".".join(map(quote_name, parts)), str(kind).startswith("float")
            column = Named(path=path, place=", ".join(parts), root=parts[0], floats=floats)
            found.setdefault(int(table), {})[int(number)] = column
    return found


def bounds_of(cursor: DuckDBPyConnection, paths: Sequence[Path], columns: Mapping[int, Named]) -> Bounds:
    """What the catalogue's statistics say of the columns that some files have: from their footers, as DuckLake does it.

    Reading 20 columns of ten million rows for it took as long as writing them.
    """
    relation = relation_of(paths)
    there = set(columns_of(cursor, relation))
    asked = {number: one for number, one in columns.items() if one.root in there}
    if not asked:
        return {}
    listed = ", ".join(quote_text(str(path)) for path in paths)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE tidemill_footers AS SELECT path_in_schema AS place, stats_min_value AS low, "
        f"stats_max_value AS high, stats_null_count AS nulls, num_values AS every FROM parquet_metadata([{listed}])"
    )
    described = cursor.execute(f"DESCRIBE SELECT {_named(asked)} FROM {relation}").fetchall()
    kinds = {str(row[0]): str(row[1]) for row in described}
    found: dict[int, tuple[int, int, str | None, str | None]] = {}
    for number, one in asked.items():
        kind = kinds[f"c{number}"]
        every, nulls, low, high, known = cursor.execute(
            f"SELECT coalesce(sum(every), 0), coalesce(sum(nulls), 0), min(TRY_CAST(low AS {kind}))::VARCHAR, "
            f"max(TRY_CAST(high AS {kind}))::VARCHAR, coalesce(bool_and(every = nulls OR (nulls IS NOT NULL AND "
            f"TRY_CAST(low AS {kind}) IS NOT NULL AND TRY_CAST(high AS {kind}) IS NOT NULL)), false) "
            f"FROM tidemill_footers WHERE place = {quote_text(one.place)}"
        ).fetchall()[0]
        found[number] = (every - nulls, nulls, low, high) if known else _read_bounds(cursor, relation, one)
    return found


def _named(asked: Mapping[int, Named]) -> str:
    return ", ".join(f"{one.path} AS c{number}" for number, one in asked.items())


def _read_bounds(cursor: DuckDBPyConnection, relation: str, one: Named) -> tuple[int, int, str | None, str | None]:
    """The same of one column whose footers do not say it: of numbers that may be NaN, of long texts."""
    path = one.path
    # DuckLake passes over files by bounds without a thought of NaN, so there are none, as DuckDB writes none.
    known = f"CASE WHEN bool_or(isnan({path})) THEN NULL ELSE {{}} END" if one.floats else "{}"
    bounds = f"{known.format(f'min({path})')}::VARCHAR, {known.format(f'max({path})')}::VARCHAR"
    values, nulls, low, high = cursor.execute(
        f"SELECT count({path}), count(*) - count({path}), {bounds} FROM {relation}"
    ).fetchall()[0]
    return values, nulls, low, high


def table_bounds(
    engine: Engine,
    cursor: DuckDBPyConnection,
    changed: Collection[int],
    files_of: Callable[[int], list[Path]],
    columns: Mapping[int, Mapping[int, Named]],
) -> dict[tuple[int, int], tuple[str | None, str | None]]:
    """What changes in the statistics of whole tables, by the numbers of table and column.

    Parameters
    ----------
    changed
        Tables whose files change. Of others only a bound changes that is one of no file.
    files_of
        Every data file of a table as it will be.
    """
    stale = set(read_catalogue(engine, _STALE))
    known = {(row[0], row[1]): row[2:] for row in read_catalogue(engine, _TABLE_BOUNDS)}
    found: dict[tuple[int, int], tuple[str | None, str | None]] = {}
    for table in sorted({*changed, *(table for table, _ in stale)}):
        asked = [number for of, number in known if of == table and (table in changed or (table, number) in stale)]
        named = {number: columns[table][number] for number in asked if number in columns[table]}
        files = files_of(table)
        bounds = bounds_of(cursor, files, named) if files else {}
        for number in asked:
            _, _, low, high = bounds.get(number, (0, 0, None, None))
            least, most = known[table, number]
            if number not in named and (least, most) == WIDEST:
                continue  # of values in lists, which nobody knows
            after = _without_nul(None if least is None else low, None if most is None else high)
            if after != (least, most):
                found[table, number] = after
    return found


def _without_nul(low: str | None, high: str | None) -> tuple[str | None, str | None]:
    """Bounds that are no tighter, without the NUL that the catalogue cannot hold."""
    head, nul, _ = (high or "").partition("\0")
    return low and low.partition("\0")[0], f"{head}\1" if nul else high


def as_bounds(low: str | None, high: str | None) -> str:
    """What to set in the catalogue."""

    def text(value: str | None) -> str:
        return "NULL" if value is None or "\0" in value else quote_text(value)

    return f"min_value = {text(low)}, max_value = {text(high)}"
