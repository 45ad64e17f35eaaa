"""ML.VALIDATE_DATA_SKEW, ML.VALIDATE_DATA_DRIFT and ML.TFDV_DESCRIBE: whether rows are distributed as others were.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-validate-data-skew
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-validate-data-drift
"""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

from tidemill.core.distribution import Distribution
from tidemill.core.divergences import jensen_shannon_divergence, l_infinity
from tidemill.core.errors import InternalError, OptionError, StateError, UnsupportedError
from tidemill.core.names import did_you_mean
from tidemill.core.tfdv import JENSEN_SHANNON, L_INFTY, Compared, Limits, compare_features, name_of
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
    """Return a row for each column that both data sets have."""
    limits = limits_of(call)

    def make() -> list[dict[str, Any]]:
        base, study = (_described(call, given.table())["datasets"][0]["features"] for given in call.inputs)
        _require_compared(call, limits, {name_of(one) for one in base} & {name_of(one) for one in study})
        return [_row(one) for one in compare_features(base, study, limits)]

    return small_rows(call, _schema(), make)


def validate_data_skew(call: FunctionCall) -> Rows:
    """Return a row for each raw column of the model that the data has, against the training rows.

    Numbers are compared in the bins that were learnt from the training rows.

    Raises
    ------
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

        counted = count_like(call.inputs[0].table(), kept.inputs)
        _require_compared(call, limits, set(counted))
        pairs = [(kept.inputs[name], one) for name, one in counted.items()]
        return [_row(_compared(old, new, limits)) for old, new in pairs if old.filled and new.filled]

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


def _require_compared(call: FunctionCall, limits: Limits, compared: Set[str]) -> None:
    """Refuse a threshold of a column that is not compared: it would never be looked at.

    Raises
    ------
    OptionError
        The column is not in both, or is of a type that is not compared.
    """
    for name in limits.columns:
        if name not in compared:
            raise OptionError(
                f"thresholds of {call.function} name the column {name}, which is not among those that are compared",
                where=call.where,
                hint=did_you_mean(name, compared),
            )


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


def _compared(old: Distribution, new: Distribution, limits: Limits) -> Compared:
    texts = old.kind == "text"
    metric = limits.categorical_metric if texts else JENSEN_SHANNON
    measure = l_infinity if metric == L_INFTY else jensen_shannon_divergence
    threshold = limits.columns.get(old.column, limits.categorical if texts else limits.numerical)
    return Compared(name=old.column, metric=metric, threshold=threshold, value=measure(old.bins, new.bins))


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
