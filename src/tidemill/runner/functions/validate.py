"""ML.VALIDATE_DATA_SKEW, ML.VALIDATE_DATA_DRIFT and ML.TFDV_DESCRIBE: whether rows are distributed as others were.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-validate-data-skew
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-validate-data-drift
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.core.distribution import Distribution
from tidemill.core.divergences import jensen_shannon_divergence, l_infinity
from tidemill.core.errors import BindError, EmptyDataError, InternalError, OptionError, StateError, UnsupportedError
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.tfdv import (
    FARTHEST,
    JENSEN_SHANNON,
    KINDS,
    L_INFTY,
    Compared,
    Limits,
    compare_features,
    name_of,
    nothing_shared,
)
from tidemill.runner.functions.columns import small_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.analysis.table import Table
    from tidemill.core.rows import Rows
    from tidemill.runner.call import FunctionCall


def tfdv_describe(call: FunctionCall) -> Rows:
    """Return one row: the statistics as JSON."""
    import pyarrow as pa

    def make() -> list[dict[str, Any]]:
        text = json.dumps(_described(call, call.inputs[0].table()), ensure_ascii=False)
        return [{"dataset_feature_statistics_list": text}]

    return small_rows(call, pa.schema([("dataset_feature_statistics_list", pa.string())]), make)


def validate_data_drift(call: FunctionCall) -> Rows:
    """Return a row for each column that both data sets have.

    Raises
    ------
    BindError
        No column is in both.
    EmptyDataError
        One has no rows.
    OptionError
        A limit is of no column.
    """
    limits = limits_of(call)

    def make() -> list[dict[str, Any]]:
        tables = [given.table() for given in call.inputs]
        _require_rows(call, tables)
        base, study = (_described(call, table)["datasets"][0]["features"] for table in tables)
        compared = list(compare_features(base, study, limits))
        if not compared:
            raise _nothing_shared(call, [name_of(one) for one in base], [name_of(one) for one in study], KINDS["DRIFT"])
        _require_compared(call, limits, [one.name for one in compared])
        return [_row(one) for one in compared]

    return small_rows(call, _schema(), make)


def validate_data_skew(call: FunctionCall) -> Rows:
    """Return a row for each raw column of the model that the data has, against the training rows.

    Numbers are compared in the bins that were learnt from the training rows.

    Raises
    ------
    BindError
        The data has no column of the model.
    EmptyDataError
        The data has no rows.
    OptionError
        A limit is of no column.
    StateError
        The version was trained before its training rows were kept as distributions.
    """
    from tidemill.registry.baseline import read_baseline

    limits = limits_of(call)
    model = call.model
    if model is None:
        raise InternalError(f"{call.function} was called without a model", where=call.where)
    kept = read_baseline(model)
    if kept is None:
        raise StateError(
            f"version {model.version} of model {model.name} has no statistics of its training rows: "
            "it is older than they are",
            where=call.where,
            hint=f"train it again: CREATE OR REPLACE MODEL {model.name}",
        )

    def make() -> list[dict[str, Any]]:
        from tidemill.analysis.distributions import count_like

        table = call.inputs[0].table()
        _require_rows(call, [table])
        counted = count_like(table, kept.inputs)
        there = {name_key(column.name) for column in table.columns}
        pairs = [(old, counted.get(name)) for name, old in kept.inputs.items() if name_key(name) in there]
        if not pairs:
            raise _nothing_shared(
                call, list(kept.inputs), [column.name for column in table.columns], (f"model {model.name}", "the data")
            )
        _require_compared(call, limits, [old.column for old, _ in pairs])
        return [_row(_compared(old, new, limits)) for old, new in pairs]

    return small_rows(call, _schema(), make)


def limits_of(call: FunctionCall) -> Limits:
    """The thresholds of a call.

    Raises
    ------
    OptionError
        ``thresholds`` is not an array of pairs.
    """
    given = call.settings
    return Limits(
        categorical=given["categorical_default_threshold"],
        categorical_metric=given["categorical_metric_type"],
        numerical=given["numerical_default_threshold"],
        columns=read_thresholds(given.get("thresholds") or (), call),
    )


def read_thresholds(pairs: Any, call: FunctionCall) -> dict[str, float]:
    """Limits by column from ``[('column', limit), ...]``."""
    found: dict[str, float] = {}
    for pair in pairs if isinstance(pairs, list | tuple) else [pairs]:
        parts = list(pair.values()) if isinstance(pair, dict) else pair
        good = isinstance(parts, list | tuple) and len(parts) == 2 and isinstance(parts[0], str)
        if not good or not isinstance(parts[1], int | float) or not 0 <= parts[1] < 1:
            raise OptionError(
                f"thresholds of {call.function} is an array of pairs of a column and a limit from 0 to below 1",
                where=call.where,
                hint="such as [('age', 0.1), ('city', 0.5)] AS thresholds",
            )
        found[parts[0]] = float(parts[1])
    return found


def _require_compared(call: FunctionCall, limits: Limits, compared: Iterable[str]) -> None:
    """Refuse a threshold of a column that is not compared: it would never be looked at.

    Raises
    ------
    OptionError
        The column is not in both, or is of a type that is not compared.
    """
    known = list(compared)
    name = limits.unknown(known)
    if name is not None:
        raise OptionError(
            f"thresholds of {call.function} name the column {name}, which is not among those that are compared",
            where=call.where,
            hint=did_you_mean(name, known),
        )


def _nothing_shared(call: FunctionCall, base: Sequence[str], study: Sequence[str], sides: Sequence[str]) -> BindError:
    said, hint = nothing_shared(base, study, (sides[0], sides[1]))
    return BindError(f"{call.function}: {said}", where=call.where, hint=hint)


def _described(call: FunctionCall, table: Table) -> dict[str, Any]:
    from tidemill.analysis.tfdv import describe

    given = call.settings
    try:
        return describe(
            table,
            buckets=given["num_histogram_buckets"],
            quantiles=given["num_quantiles_histogram_buckets"],
            ranks=given["num_rank_histogram_buckets"],
            values=given["num_values_histogram_buckets"],
        )
    except UnsupportedError as error:
        error.where = error.where or call.where
        raise


def _require_rows(call: FunctionCall, tables: Sequence[Table]) -> None:
    """Of no rows nothing can be said, and nothing would read as if all were well."""
    if not all(table.rows for table in tables):
        raise EmptyDataError(f"{call.function} has no rows to compare", where=call.where)


def _compared(old: Distribution, new: Distribution | None, limits: Limits) -> Compared:
    """How far a column moved; as far as can be where it has another kind of values now, or values on one side only."""
    texts = old.kind == "text"
    metric = limits.categorical_metric if texts else JENSEN_SHANNON
    measure = l_infinity if metric == L_INFTY else jensen_shannon_divergence
    if new is not None and old.filled and new.filled:
        value = measure(old.bins, new.bins)
    else:
        value = 0.0 if new is not None and not old.filled and not new.filled else FARTHEST
    return Compared(name=old.column, metric=metric, threshold=limits.of(old.column, texts=texts), value=value)


def _row(one: Compared) -> dict[str, Any]:
    return {
        "input": one.name,
        "metric": one.metric,
        "threshold": one.threshold,
        "value": one.value,
        "is_anomaly": one.is_anomaly,
    }


def _schema() -> pa.Schema:
    import pyarrow as pa

    columns: Sequence[tuple[str, pa.DataType]] = [
        ("input", pa.string()),
        ("metric", pa.string()),
        ("threshold", pa.float64()),
        ("value", pa.float64()),
        ("is_anomaly", pa.bool_()),
    ]
    return pa.schema(columns)
