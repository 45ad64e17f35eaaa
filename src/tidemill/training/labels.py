"""The label: what values it has, and what a model may not learn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import EmptyDataError, LabelError
from tidemill.core.names import quote_name
from tidemill.model_types.base import Labels
from tidemill.training.source import TrainingRows

if TYPE_CHECKING:
    import pyarrow as pa

# LOGISTIC_REG takes 50 classes, tree classifiers 1,000 (pages create-glm, create-boosted-tree).
_MOST_CLASSES = {"linear": 50, "tree": 1000}
# Trees are grown in single precision, where sums of squares of greater ones overflow; metrics of what a linear model
# learns have fourth powers in them.
_LARGEST = {"linear": 1e60, "tree": 5e18, "none": 1e60}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFacts:
    """The label of all rows: its Arrow type, classes (ascending) with their rows, and how many rows there are."""

    labels: Labels
    type: str
    sql: str
    rows: int
    counts: tuple[int, ...] = ()


def learn_label(rows: TrainingRows) -> LabelFacts:
    """Read the label of all rows and check it.

    Raises
    ------
    EmptyDataError
        There are no rows.
    LabelError
        Labels are NULL or not numbers, all the same, or of too many classes.
    """
    kind = rows.schema.field(rows.label).type
    if rows.task.model_type.task == "regression":
        return _regression(rows, kind)
    return _classification(rows, kind)


def encode_labels(values: pa.Array, classes: Sequence[Any]) -> np.ndarray:
    """Label values as training takes them: numbers (no classes), or ordinals in ``classes``, -1 where unknown.

    ``values`` are of the type the label had in training, or can be cast to it. NULL becomes NaN or -1.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not classes:
        return np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    known = pa.array(list(classes))
    plain = plain_label(values)
    if plain.type != known.type:
        plain = pc.cast(plain, known.type, safe=False)
    found = pc.fill_null(pc.index_in(plain, value_set=known), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def plain_label(values: pa.Array) -> pa.Array:
    """A label column as one of the types classes are kept in: BOOL, INT64, FLOAT64 or STRING."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_dictionary(kind):
        return plain_label(values.dictionary_decode())
    return pc.cast(values, _plain_type(kind), safe=False)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    return pa.string()


def _regression(rows: TrainingRows, kind: pa.DataType) -> LabelFacts:
    import pyarrow as pa

    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise LabelError(
            f"{rows.task.model_type.name} predicts a number, and label {rows.label} is {kind}",
            where=rows.task.where,
            hint="cast the label to a number in the query, or use a classifier",
            column=rows.label,
            type=str(kind),
        )
    sql = f"CAST({quote_name(rows.label)} AS DOUBLE)"
    select = f"count(*), count({sql}), min({sql}), max({sql}), count(*) FILTER (WHERE NOT isfinite({sql}))"
    facts = next(
        row for batch in rows.query(select) for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)
    )
    total, given, low, high, strange = facts
    _check_present(rows, total, total - given)
    if strange:
        raise LabelError(
            f"label {rows.label} is not a finite number in {strange:,} of {total:,} rows",
            where=rows.task.where,
            hint=f"leave those rows out: WHERE isfinite({rows.label})",
            rows=strange,
        )
    most, far = _LARGEST[rows.task.model_type.encoding], low if -low > high else high
    if abs(far) > most:
        raise LabelError(
            f"label {rows.label} is {far:g} in a row: {rows.task.model_type.name} learns numbers up to {most:g}",
            where=rows.task.where,
            hint=f"leave such rows out: WHERE abs({rows.label}) <= {most:g}",
            value=far,
        )
    if low == high:
        raise LabelError(
            f"label {rows.label} is {low:g} in all {total:,} rows: there is nothing to learn",
            where=rows.task.where,
            hint="check the query's filter, or name another label",
            value=low,
        )
    return LabelFacts(labels=Labels(column=rows.label), type=str(kind), sql=sql, rows=total)


def _classification(rows: TrainingRows, kind: pa.DataType) -> LabelFacts:
    import pyarrow as pa

    if pa.types.is_nested(kind):
        raise LabelError(f"label {rows.label} is {kind}; a label is one value", where=rows.task.where, type=str(kind))
    sql = quote_name(rows.label)
    if _plain_type(kind) == pa.string() and not pa.types.is_string(kind):
        sql = f"CAST({sql} AS VARCHAR)"
    counts: dict[Any, int] = {}
    most = _MOST_CLASSES[rows.task.model_type.encoding]
    query = f"SELECT {sql} AS label, count(*) AS n FROM ({rows.sql}) AS tm_rows GROUP BY 1"
    for batch in rows.task.session.query(query):
        counts.update(zip(plain_label(batch.column(0)).to_pylist(), batch.column(1).to_pylist(), strict=True))
        if len(counts) > 100_000:
            break
    _check_present(rows, sum(counts.values()), counts.pop(None, 0))
    _check_classes(rows, counts, most)
    classes = sorted(counts)
    return LabelFacts(
        labels=Labels(column=rows.label, classes=tuple(classes)),
        type=str(kind),
        sql=sql,
        rows=sum(counts.values()),
        counts=tuple(counts[value] for value in classes),
    )


def _check_present(rows: TrainingRows, total: int, nulls: int) -> None:
    if not total:
        raise EmptyDataError(
            f"the query of model {rows.task.name} returns no rows", where=rows.task.where, hint="check its filter"
        )
    if nulls:
        raise LabelError(
            f"label {rows.label} is NULL in {nulls:,} of {total:,} rows",
            where=rows.task.where,
            hint=f"leave them out: WHERE {rows.label} IS NOT NULL",
            rows=nulls,
        )


def _check_classes(rows: TrainingRows, counts: dict[Any, int], most: int) -> None:
    if any(isinstance(value, float) and math.isnan(value) for value in counts):
        raise LabelError(
            f"label {rows.label} is NaN in some rows", where=rows.task.where, hint="leave those rows out, or cast them"
        )
    if len(counts) == 1:
        only = next(iter(counts))
        raise LabelError(
            f"label {rows.label} is {only!r} in all rows: a classifier needs two classes",
            where=rows.task.where,
            hint="check the query's filter, or name another label",
            value=str(only),
        )
    if len(counts) > most:
        shown = f"{len(counts):,}" if len(counts) <= 100_000 else "more than 100,000"
        raise LabelError(
            f"label {rows.label} has {shown} classes; {rows.task.model_type.name} takes at most {most:,}",
            where=rows.task.where,
            hint="predict a number with a regressor, or group rare classes together",
            classes=len(counts),
            most=most,
        )
