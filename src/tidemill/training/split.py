"""Which rows train and which evaluate.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm#data_split_method
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError, EmptyDataError
from tidemill.core.names import quote_name
from tidemill.training.source import TrainingRows

# AUTO_SPLIT: below the first no evaluation rows, up to the second a fifth, above it a fixed number.
_SPLIT_FROM, _FIFTH_UP_TO, _MOST = 500, 50_000, 10_000
_FIFTH = 0.2
# From this share of repeated rows on, equal rows are told apart before they are split. Below it, keeping equal rows on
# one side changes no figure; above it, few large groups would make the evaluation rows another population.
_REPEATED = 0.01
_COPY = "tm_copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """``trains`` says for each row, in order, whether it trains (None: all do); ``where`` says it in SQL ('': all).

    Rows that are equal in every column may fall on both sides; ``where`` then takes in those of the evaluation side
    too, which adds nothing that training does not see.
    """

    rows_train: int
    rows_eval: int
    trains: np.ndarray | None = None
    where: str = ""


def split_rows(rows: TrainingRows, total: int) -> tuple[TrainingRows, Split]:
    """Split as DATA_SPLIT_METHOD says; returns the rows as well, for they may be kept anew to be split.

    Raises
    ------
    EmptyDataError
        No row is left to train on.
    DataError
        The split column is of the wrong type.
    """
    method = str(rows.task.options.get("data_split_method", "NO_SPLIT"))
    if method == "CUSTOM":
        split = _by_flag(rows)
    elif method == "SEQ":
        split = _by_order(rows, total, _count(total, rows.task.options.get("data_split_eval_fraction", _FIFTH)))
    elif method in ("AUTO_SPLIT", "RANDOM"):
        rows, split = _by_hash(rows, total, _random_count(rows, total, method))
    else:
        split = Split(rows_train=total, rows_eval=0)
    if not split.rows_train:
        raise EmptyDataError(
            f"no row is left to train model {rows.task.name} on: all {total:,} evaluate",
            where=rows.task.where,
            hint="check DATA_SPLIT_COL (CUSTOM: FALSE trains, TRUE and NULL evaluate) or the fraction",
        )
    return rows, split


def _random_count(rows: TrainingRows, total: int, method: str) -> int:
    if method == "RANDOM" and "data_split_eval_fraction" in rows.task.given:
        return _count(total, rows.task.options["data_split_eval_fraction"])
    if total < _SPLIT_FROM:
        return 0
    return _MOST if total > _FIFTH_UP_TO else _count(total, _FIFTH)


def _count(total: int, fraction: Any) -> int:
    # Fractions count to two decimals.
    return int(total * round(float(fraction), 2) + 0.5)


def _by_hash(rows: TrainingRows, total: int, count: int) -> tuple[TrainingRows, Split]:
    """The ``count`` rows with the smallest hashes evaluate; among equal rows the first ones."""
    if not count:
        return rows, Split(rows_train=total, rows_eval=0)
    key = rows.task.session.row_hash(rows.schema.names)
    hashes = _hashes(rows, key, total)
    ordered = np.sort(hashes)
    if np.count_nonzero(ordered[1:] == ordered[:-1]) / total > _REPEATED:
        rows, key = _with_copies_counted(rows, key)
        hashes = _hashes(rows, key, total)
        ordered = np.sort(hashes)
    border = ordered[count - 1]
    trains = hashes > border
    ties = np.flatnonzero(hashes == border)
    spare = int(total - trains.sum()) - count
    trains[ties[len(ties) - spare :]] = True
    where = f"{key} {'>=' if spare else '>'} {int(border)}"
    return rows, Split(rows_train=total - count, rows_eval=count, trains=trains, where=where)


def _hashes(rows: TrainingRows, key: str, total: int) -> np.ndarray:
    session = rows.task.session
    # Kept first, read then: the engine hashes with all its threads, and needs no turn of Python's while it does.
    kept = session.materialise(f"SELECT {key} AS tm_key FROM ({rows.sql}) AS tm_rows")
    parts = [batch.column(0).to_numpy(zero_copy_only=False) for batch in session.query(f"SELECT tm_key FROM {kept}")]
    hashes = np.concatenate([np.empty(0, dtype=np.uint64), *parts])
    if len(hashes) != total:
        raise changed_rows(rows)
    return hashes


def _with_copies_counted(rows: TrainingRows, key: str) -> tuple[TrainingRows, str]:
    """Number the copies of each row, so that copies have hashes of their own; which copy is which does not matter."""
    session = rows.task.session
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {key}) AS {_COPY} FROM ({rows.sql}) AS tm_rows"
    copy_key = session.row_hash([*rows.schema.names, _COPY])
    kept = session.materialise(numbered, sort=[copy_key])
    return replace(rows, sql=f"SELECT * FROM {kept}"), copy_key


def _by_flag(rows: TrainingRows) -> Split:
    import pyarrow as pa

    column = quote_name(rows.split)
    kind = rows.schema.field(rows.split).type
    if not pa.types.is_boolean(kind):
        raise DataError(
            f"DATA_SPLIT_METHOD = 'CUSTOM' needs a BOOL column; {rows.split} is {kind}",
            where=rows.task.where,
            hint="TRUE and NULL evaluate, FALSE trains: write the condition in the query, AS a column",
            column=rows.split,
            type=str(kind),
        )
    return _by_condition(rows, f"coalesce(NOT {column}, FALSE)")


def _by_order(rows: TrainingRows, total: int, count: int) -> Split:
    """The last rows evaluate; NULLs come first, and a tie with the last training row trains."""
    if not count or count >= total:
        return Split(rows_train=0 if count else total, rows_eval=count)
    key = quote_name(rows.split)
    first = f"SELECT {key} AS k FROM ({rows.sql}) AS s ORDER BY {key} ASC NULLS FIRST LIMIT {total - count}"
    return _by_condition(rows, f"({key} IS NULL OR {key} <= (SELECT max(k) FROM ({first}) AS f))")


def _by_condition(rows: TrainingRows, condition: str) -> Split:
    import pyarrow as pa

    parts = [batch.column(0) for batch in rows.query(f"{condition} AS tm_trains")]
    # A NULL (all NULL in the training part of SEQ) does not train.
    trains = np.asarray(pa.chunked_array(parts, type=pa.bool_()).fill_null(False).to_numpy(), dtype=bool)
    count = int(trains.sum())
    if count == len(trains):
        return Split(rows_train=count, rows_eval=0)
    return Split(rows_train=count, rows_eval=len(trains) - count, trains=trains, where=condition)


def changed_rows(rows: TrainingRows) -> DataError:
    """The query gave other rows than a moment before."""
    return DataError(
        f"the query of model {rows.task.name} returns other rows each time it is read",
        where=rows.task.where,
        hint="take RANDOM() and the like out of it, or make a table of its rows first: CREATE TABLE ... AS SELECT ...",
    )
