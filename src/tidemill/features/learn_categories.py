"""Which values the training rows have, counted by the engine or from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError, Where
from tidemill.features.arrow import spelled
from tidemill.features.sources import CATEGORICAL, Datetimes, Source, list_sources
from tidemill.features.values import instant_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.warehouse.protocol import ArrowStream, Session

_COLUMNS_PER_QUERY = 24  # GROUPING_ID holds 63 bits; fewer sets per query keep its hash tables small
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What SQL learnt about one feature from the training rows.

    ``values`` are the categories in alphabetical order (by code point), ``counts`` their rows, ``nulls`` the rows that
    are NULL. ``length`` is a vector's length (or one more than a sparse vector's largest index). ``parts`` are the
    values seen of each part of a TIMESTAMP, ascending.
    """

    values: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    nulls: int = 0
    length: int = 0
    parts: tuple[tuple[int, ...], ...] = ()


def learn_categories(
    session: Session,
    sql: str,
    schema: pa.Schema,
    *,
    features: Sequence[str],
    relations: Mapping[str, ArrowStream] | None = None,
    datetimes: Datetimes = "expanded",
    where: Where | None = None,
) -> dict[str, Learned]:
    """Count the categories of the training rows with one pass of GROUP BY; by feature name.

    The result does not depend on the order of rows. Numbers have nothing to learn here and are left out.

    Parameters
    ----------
    sql
        The training rows (engine SQL). Only these: categories of evaluation rows must not leak in.
    schema
        Its schema.
    features
        The columns to learn, without the label, the split column and weights.

    Raises
    ------
    DataError
        An array of numbers changes its length from row to row, or an index is negative.
    """
    sources = list_sources(schema, features, datetimes=datetimes, where=where)
    learned: dict[str, Learned] = {}
    grouped = [source for source in sources if source.kind in CATEGORICAL or source.kind == "timestamp"]
    for start in range(0, len(grouped), _COLUMNS_PER_QUERY):
        learned |= _count_groups(session, sql, grouped[start : start + _COLUMNS_PER_QUERY], relations)
    for source in sources:
        if source.kind == "texts":
            learned[source.name] = _count_members(session, sql, source, relations)
        elif source.kind in ("vector", "sparse"):
            learned[source.name] = _measure_array(session, sql, source, relations=relations, where=where)
    return learned


def _count_groups(
    session: Session, sql: str, sources: Sequence[Source], relations: Mapping[str, ArrowStream] | None
) -> dict[str, Learned]:
    # One scan for all columns: each grouping set is one column (two for a TIMESTAMP: its day, its minute of the day).
    keys: list[tuple[Source, str]] = []
    for source in sources:
        if source.kind == "timestamp":
            micros = f"epoch_us({source.sql})"
            of_day = f"((({micros} % {_DAY_US}) + {_DAY_US}) % {_DAY_US})"  # never negative, before 1970 too
            keys.append((source, f"({micros} - {of_day}) // {_DAY_US}"))
            keys.append((source, f"{of_day} // 60000000"))
        else:
            keys.append((source, f"CAST({source.sql} AS VARCHAR)" if source.kind == "text" else source.sql))
    names = [f"k{i}" for i in range(len(keys))]
    columns = ", ".join(f"{text} AS {name}" for (_, text), name in zip(keys, names, strict=True))
    sets = ", ".join(f"({name})" for name in names)
    query = (
        f"SELECT GROUPING_ID({', '.join(names)}) AS g, {', '.join(names)}, count(*) AS n "
        f"FROM (SELECT {columns} FROM ({sql}) AS t) AS u GROUP BY GROUPING SETS ({sets})"
    )
    counts: list[dict[Any, int]] = [{} for _ in keys]
    full = 2 ** len(keys) - 1
    for batch in session.query(query, relations):
        masks = batch.column(0).to_numpy()
        rows = batch.column(batch.num_columns - 1).to_numpy(zero_copy_only=False)
        for i, (source, _) in enumerate(keys):
            chosen = np.flatnonzero(masks == full - 2 ** (len(keys) - 1 - i))
            if len(chosen):
                _add_counts(counts[i], _values(batch.column(i + 1).take(_indexes(chosen)), source), rows[chosen])
    return _learned_of(keys, counts)


def _indexes(chosen: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(chosen)


def _values(array: pa.Array, source: Source) -> list[Any]:
    return array.to_pylist() if source.kind == "timestamp" else spelled(array, source.kind)


def _add_counts(counts: dict[Any, int], values: Sequence[Any], rows: np.ndarray) -> None:
    for value, count in zip(values, rows.tolist(), strict=True):
        counts[value] = counts.get(value, 0) + int(count)


def _learned_of(keys: Sequence[tuple[Source, str]], counts: Sequence[dict[Any, int]]) -> dict[str, Learned]:
    learned: dict[str, Learned] = {}
    for i, (source, _) in enumerate(keys):
        if source.kind != "timestamp":
            learned[source.name] = _from_counts(counts[i])
        elif source.name not in learned:
            learned[source.name] = _from_instants(counts[i], counts[i + 1])
    return learned


def _from_counts(counts: Mapping[str | None, int]) -> Learned:
    values = sorted(value for value in counts if value is not None)
    return Learned(values=tuple(values), counts=tuple(counts[value] for value in values), nulls=counts.get(None, 0))


def _from_instants(days: Mapping[int | None, int], minutes: Mapping[int | None, int]) -> Learned:
    by_day = [instant_parts(day * _DAY_US) for day in days if day is not None]
    by_minute = [instant_parts(minute * 60_000_000) for minute in minutes if minute is not None]
    clock = (3, 4)  # hour and minute come from the minute of the day, the rest from the day
    parts = [sorted({row[i] for row in (by_minute if i in clock else by_day)}) for i in range(7)]
    return Learned(parts=tuple(tuple(values) for values in parts), nulls=days.get(None, 0))


def _count_members(session: Session, sql: str, source: Source, relations: Mapping[str, ArrowStream] | None) -> Learned:
    query = (
        f"SELECT v, count(*) AS n FROM (SELECT unnest({source.sql}) AS v FROM ({sql}) AS t) AS u "
        "WHERE v IS NOT NULL GROUP BY v"
    )
    counts: dict[Any, int] = {}
    for batch in session.query(query, relations):
        _add_counts(counts, spelled(batch.column(0), "text"), batch.column(1).to_numpy(zero_copy_only=False))
    return _from_counts(counts)


def _measure_array(
    session: Session,
    sql: str,
    source: Source,
    *,
    relations: Mapping[str, ArrowStream] | None,
    where: Where | None,
) -> Learned:
    if source.kind == "vector":
        low, high = f"min(len({source.sql}))", f"max(len({source.sql}))"
        query = f"SELECT {low} AS low, {high} AS high FROM ({sql}) AS t"
    else:
        index = f"struct_extract_at(v, {source.index_field})"
        inner = f"SELECT unnest({source.sql}) AS v FROM ({sql}) AS t"
        query = f"SELECT CAST(min({index}) AS BIGINT) AS low, CAST(max({index}) AS BIGINT) AS high FROM ({inner}) AS u"
    rows = [row for batch in session.query(query, relations) for row in batch.to_pylist()]
    low, high = rows[0]["low"], rows[0]["high"]
    if high is None:
        return Learned()
    if source.kind == "sparse" and low < 0:
        raise DataError(f"feature {source.name} has a negative index: {low}", where=where, hint="indexes begin at 0")
    if source.kind == "vector" and low != high:
        raise DataError(
            f"feature {source.name} is an array of {low} numbers in one row and of {high} in another",
            where=where,
            hint="all rows of an array feature must have the same length",
        )
    return Learned(length=int(high) + (source.kind == "sparse"))
