"""Learn what the plan needs: categories by SQL before the rows are loaded, numbers from the loaded matrix after.

The order of calls, for a client that trains:

    learned = learn_categories(session, sql, schema, features=names)      # exact counts, whatever the row order
    draft = draft_plan(schema, learned, features=names, style="linear")   # fixes the width
    encoder = BatchEncoder(draft)                                         # encode.py: NaN where a number is missing
    ...                                                                   # load x, shape (rows, draft.width)
    plan = settle(draft, x_train, y=y)                                    # learns, and finishes x_train in place
    finish(plan, x_eval)                                                  # finishes rows loaded with the draft
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError, Where
from tidemill.features.arrow import spelled
from tidemill.features.plan import (
    Encoding,
    Feature,
    FeaturePlan,
    FrozenColumn,
    InputColumn,
    Instant,
    Label,
    MultiHot,
    Number,
    OneHot,
    Sparse,
    Style,
    Target,
    Vector,
    encoding_width,
)
from tidemill.features.sources import CATEGORICAL, Datetimes, Source, find_column, list_sources
from tidemill.features.values import instant_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.warehouse.protocol import ArrowStream, Session

_COLUMNS_PER_QUERY = 24  # GROUPING_ID holds 63 bits; fewer sets per query keep its hash tables small
_DAY_US = 86_400_000_000
_SMOOTHING = 10.0  # rows of the overall mean that each category's mean is mixed with in TARGET_ENCODING


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


def draft_plan(
    schema: pa.Schema,
    learned: Mapping[str, Learned],
    *,
    features: Sequence[str],
    style: Style,
    method: str = "",
    outputs: int = 1,
    inputs: Sequence[InputColumn] | None = None,
    transforms: Sequence[FrozenColumn] = (),
    datetimes: Datetimes = "expanded",
    where: Where | None = None,
) -> FeaturePlan:
    """Fix the matrix's columns. Means and deviations are still open: see `settle`.

    Parameters
    ----------
    schema
        Of the rows that features are read from (TRANSFORM's output, when there is one).
    learned
        From `learn_categories` on the same features.
    method
        CATEGORY_ENCODING_METHOD: ONE_HOT_ENCODING, DUMMY_ENCODING, LABEL_ENCODING or TARGET_ENCODING; '' is the
        style's own (one-hot for linear, labels for trees).
    outputs
        For TARGET_ENCODING: 1 for a number or a binary label, else the number of classes.
    inputs
        The raw columns a prediction needs; by default the columns of the features.

    References
    ----------
    .. [1] https://cloud.google.com/bigquery/docs/auto-preprocessing
    """
    sources = list_sources(schema, features, datetimes=datetimes, where=where)
    if inputs is None:
        columns = dict.fromkeys(source.column for source in sources)
        inputs = [InputColumn(name=name, type=str(schema.field(find_column(schema, name)).type)) for name in columns]
    chosen = method or ("ONE_HOT_ENCODING" if style == "linear" else "LABEL_ENCODING")
    return FeaturePlan(
        style=style,
        inputs=tuple(inputs),
        transforms=tuple(transforms),
        features=tuple(
            Feature(
                name=source.name,
                column=source.column,
                field=source.field,
                kind=source.kind,
                encoding=_draft(source, learned.get(source.name, Learned()), style, chosen, outputs),
            )
            for source in sources
        ),
    )


def _draft(source: Source, learned: Learned, style: Style, method: str, outputs: int) -> Encoding:
    match source.kind:
        case "number":
            return Number()
        case "timestamp":
            return Instant(parts=learned.parts if style == "linear" else None)
        case "vector":
            return Vector(length=learned.length)
        case "sparse":
            return Sparse(length=learned.length)
        case "texts":
            return MultiHot(vocabulary=learned.values)
        case _:
            return _categorical(learned, method, outputs)


def _categorical(learned: Learned, method: str, outputs: int) -> Encoding:
    if method == "LABEL_ENCODING":
        return Label(vocabulary=learned.values)
    if method == "TARGET_ENCODING":
        return Target(vocabulary=learned.values, outputs=outputs)
    null = learned.nulls > 0
    dropped = None
    if method == "DUMMY_ENCODING":
        counts = [*learned.counts, learned.nulls] if null else list(learned.counts)
        # The first of equals: the most frequent, and alphabetically first among the most frequent.
        dropped = counts.index(max(counts)) if counts else None
    return OneHot(vocabulary=learned.values, null=null, dropped=dropped)


def settle(
    draft: FeaturePlan, x: np.ndarray, *, rows: slice | np.ndarray | None = None, y: np.ndarray | None = None
) -> FeaturePlan:
    """Learn means, deviations (n - 1) and target values from loaded rows, then finish all of ``x`` in place.

    Deterministic given the order of the rows.

    Parameters
    ----------
    x
        Rows encoded with the draft, shape (n, width).
    rows
        Which of them to learn from (a slice, a mask or indexes); None learns from all.
    y
        For TARGET_ENCODING: the numeric label, or the class index, shape (n,).
    """
    start = 0
    features = []
    for feature in draft.features:
        width = encoding_width(feature.encoding)
        block = x[:, start : start + width]
        features.append(replace(feature, encoding=_settled(feature.encoding, block, draft.style, rows=rows, y=y)))
        start += width
    plan = replace(draft, features=tuple(features))
    finish(plan, x)
    return plan


def _settled(
    encoding: Encoding, block: np.ndarray, style: Style, *, rows: slice | np.ndarray | None, y: np.ndarray | None
) -> Encoding:
    if isinstance(encoding, Number):
        return _learn_number(block[:, 0], style, rows)
    if isinstance(encoding, Instant):
        return replace(encoding, seconds=_learn_number(block[:, 0], style, rows))
    if isinstance(encoding, Target):
        if y is None:
            raise TypeError("TARGET_ENCODING is learnt from the label: pass y")
        return _learn_target(encoding, block[:, 0], rows=rows, y=y)
    return encoding


def _learn_number(column: np.ndarray, style: Style, rows: slice | np.ndarray | None) -> Number:
    values = np.ascontiguousarray(column if rows is None else column[rows], dtype=np.float64)
    missing = np.isnan(values)
    if missing.any():
        values = values[~missing]
    mean, deviation = _moments(values)
    return Number(mean=mean, deviation=deviation if style == "linear" else None)


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and sample deviation; a constant column (or none at all) has deviation 1, so that it becomes zeros."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 1.0
    mean = float(np.add.reduce(values)) / len(values)
    centred = values - mean
    deviation = float(np.sqrt(np.add.reduce(centred * centred) / (len(values) - 1)))
    return mean, deviation if deviation > np.finfo(np.float64).tiny else 1.0


def _learn_target(encoding: Target, column: np.ndarray, *, rows: slice | np.ndarray | None, y: np.ndarray) -> Target:
    codes = np.asarray(column if rows is None else column[rows]).astype(np.int64)
    labels = y if rows is None else y[rows]
    size = len(encoding.vocabulary) + 2
    counts = np.bincount(codes, minlength=size).astype(np.float64)
    table = np.empty((size, encoding.outputs))
    for output in range(encoding.outputs):
        target = labels.astype(np.float64) if encoding.outputs == 1 else (labels == output).astype(np.float64)
        overall = float(np.add.reduce(target)) / len(target) if len(target) else 0.0
        sums = np.bincount(codes, weights=target, minlength=size)
        table[:, output] = (sums + _SMOOTHING * overall) / (counts + _SMOOTHING)
        table[0, output] = overall
    return replace(encoding, values=tuple(tuple(row) for row in table.tolist()))


def finish(plan: FeaturePlan, x: np.ndarray) -> None:
    """Turn rows that were encoded with the draft into what the settled plan gives, in place: fill and scale."""
    from tidemill.features.encode import scale

    start = 0
    for feature in plan.features:
        encoding = feature.encoding
        width = encoding_width(encoding)
        number = encoding.seconds if isinstance(encoding, Instant) else encoding
        if isinstance(number, Number):
            x[:, start] = scale(np.array(x[:, start], dtype=np.float64), number)
        elif isinstance(encoding, Target):
            table = np.array(encoding.values)
            x[:, start : start + width] = table[x[:, start].astype(np.int64)]
        start += width
