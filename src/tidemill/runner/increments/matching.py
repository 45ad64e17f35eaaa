"""The columns of new rows against those of the table: the same, wider, or a change that somebody must decide on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.core.errors import SourceError
from tidemill.core.names import name_key, quote_name
from tidemill.warehouse.protocol import Column

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_EXACT = "9007199254740992"  # the greatest whole number up to which DOUBLE has them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """How new rows become rows of the table.

    Parameters
    ----------
    select
        Engine SQL of each column, in the table's order; new columns stand last.
    columns
        What the table's columns are from now on.
    added
        Names of the new ones.
    lossy
        Engine SQL over the query's columns: whether a row has a value that its column in the table cannot hold.
    """

    select: tuple[str, ...]
    columns: tuple[Column, ...]
    added: tuple[str, ...]
    lossy: str = ""


def match(
    table: str, there: Sequence[Column], new: Sequence[Column], *, adds_columns: bool, files: Sequence[str] = ()
) -> Matched:
    """Match the columns of a query with those of the table it makes.

    The order does not matter, and a narrower type is widened. Files are read a few at a time, and their types are what
    these few suggest: whole numbers where the table has decimals, or text where a column has no value at all.

    Parameters
    ----------
    files
        Those that the new rows are from, where they are from files.

    Raises
    ------
    SourceError
        A column is missing or has another type, or is new and the table does not take new ones.
    """
    found = {name_key(column.name): column for column in new}
    known = {name_key(column.name) for column in there}
    missing = [column.name for column in there if name_key(column.name) not in found]
    added = [column for column in new if name_key(column.name) not in known]
    select: list[str] = []
    lossy: list[str] = []
    retyped: list[str] = []
    for column in there:
        fresh = found.get(name_key(column.name))
        if fresh is None or fresh.type == column.type:
            select.append(quote_name(column.name))
            continue
        rule = _widened(fresh, column)
        if rule is None:
            retyped.append(f"{column.name} was {column.type}, is {fresh.type}")
            continue
        select.append(f"CAST({quote_name(column.name)} AS {column.type}) AS {quote_name(column.name)}")
        lossy += [rule] if rule else []
    refused = [] if adds_columns and not missing else added  # what is missing may be there under another name
    if missing or retyped or refused:
        raise _changed(table, missing=missing, added=[column.name for column in refused], retyped=retyped, files=files)
    select += [quote_name(column.name) for column in added]
    return Matched(
        select=tuple(select),
        columns=(*there, *added),
        added=tuple(column.name for column in added),
        lossy=" OR ".join(lossy),
    )


def lacking(there: Sequence[Column], new: Sequence[Column], *, needed: Sequence[str]) -> tuple[Column, ...]:
    """The table's columns that new rows have not and may do without.

    There are none where rows have other columns instead, or lack one of those ``needed`` to place them.
    """
    known, found = ({name_key(column.name) for column in columns} for columns in (there, new))
    missing = tuple(column for column in there if name_key(column.name) not in found)
    renamed = bool(found - known)
    return () if renamed or any(name_key(column.name) in map(name_key, needed) for column in missing) else missing


def changed_values(
    table: str, there: Sequence[Column], new: Sequence[Column], *, files: Sequence[str] = ()
) -> SourceError:
    """The error of values that their columns cannot hold."""
    found = {name_key(column.name): column for column in new}
    retyped = [
        f"{column.name} was {column.type}, is {found[name_key(column.name)].type}"
        for column in there
        if found[name_key(column.name)].type != column.type
    ]
    return _changed(table, missing=[], added=[], retyped=retyped, files=files)


def _widened(new: Column, there: Column) -> str | None:
    """When a value fits the table's type: '' always, SQL where it does not, None when the types do not go together."""
    name = quote_name(new.name)
    if new.type in _INTEGERS:
        if there.type in _INTEGERS:
            fits = _INTEGERS.index(new.type) <= _INTEGERS.index(there.type)
            return "" if fits else f"{name} IS NOT NULL AND TRY_CAST({name} AS {there.type}) IS NULL"
        if there.type == "DOUBLE":
            return f"{name} NOT BETWEEN -{_EXACT} AND {_EXACT}"
        if there.type.startswith("DECIMAL"):
            return f"{name} IS NOT NULL AND TRY_CAST({name} AS {there.type}) IS NULL"
    if (new.type, there.type) in {("DATE", "TIMESTAMP"), ("FLOAT", "DOUBLE")}:
        return ""
    cast = f"TRY_CAST({name} AS {there.type})"
    if there.type.startswith("DECIMAL") and new.type == "DOUBLE":  # these files alone have short fractions
        return f"{name} IS NOT NULL AND coalesce(CAST({cast} AS DOUBLE) <> {name}, true)"
    if there.type.startswith("DECIMAL") and new.type.startswith("DECIMAL"):
        texts = (f"rtrim(CAST({value} AS VARCHAR), '.0')" for value in (name, cast))
        return f"{name} IS NOT NULL AND ({' IS DISTINCT FROM '.join(texts)})"
    return f"{name} IS NOT NULL" if new.type == "VARCHAR" else None


def _changed(
    table: str, *, missing: list[str], added: list[str], retyped: list[str], files: Sequence[str]
) -> SourceError:
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"new: {', '.join(added)}"] if added else []
    parts += retyped
    hint = f"mend the query, declare the type in the column list, or: tidemill run --full-refresh {table}"
    if added and not missing and not retyped:
        hint = f"say on_schema_change = 'add_columns', leave them out, or: tidemill run --full-refresh {table}"
    more = f" and {len(files) - 3} more files" if len(files) > 3 else ""
    place = f" in {', '.join(files[:3])}{more}" if files else ""
    return SourceError(
        f"the columns of {table} have changed upstream{place}: {'; '.join(parts)}; the old version stays",
        hint=hint,
        missing=missing,
        added=added,
        retyped=retyped,
    )
