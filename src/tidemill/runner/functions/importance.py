"""ML.FEATURE_IMPORTANCE and ML.GLOBAL_EXPLAIN: what matters to a model as a whole.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-importance
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-global-explain
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import StatementError
from tidemill.features.plan import encoded_columns
from tidemill.runner.functions.columns import small_rows
from tidemill.runner.functions.facts import ModelFacts, facts_of

if TYPE_CHECKING:
    from tidemill.core.rows import Rows
    from tidemill.runner.call import FunctionCall

_TOP = 10  # features per class when classes are explained apart


def feature_importance(call: FunctionCall) -> Rows:
    """Return a row per feature: how often trees split on it, and its mean gain and cover per split.

    A feature that is encoded as several columns gets the splits of all of them and their mean over the splits.
    """
    import pyarrow as pa

    facts = facts_of(call)
    schema = pa.schema(
        [
            ("feature", pa.string()),
            ("importance_weight", pa.float64()),
            ("importance_gain", pa.float64()),
            ("importance_cover", pa.float64()),
        ]
    )
    return small_rows(call, schema, lambda: _importance_rows(facts))


def global_explain(call: FunctionCall) -> Rows:
    """Return a row per feature, or per class and feature: the mean absolute attribution over the evaluated rows.

    Raises
    ------
    StatementError
        The model was not trained with ENABLE_GLOBAL_EXPLAIN, or has no classes to explain apart.
    """
    import pyarrow as pa

    facts = facts_of(call)
    found = facts.info.get("global_explain")
    if found is None:
        raise StatementError(
            f"ML.GLOBAL_EXPLAIN needs a model trained with ENABLE_GLOBAL_EXPLAIN = TRUE; {facts.name} was not",
            where=call.where,
            hint="add ENABLE_GLOBAL_EXPLAIN = TRUE to the model's OPTIONS, or ask ML.EXPLAIN_PREDICT about some rows",
        )
    fields = [pa.field("feature", pa.string()), pa.field("attribution", pa.float64())]
    if not call.settings.get("class_level_explain"):
        rows = _ranked(found["features"], found["overall"])
        return small_rows(call, pa.schema(fields), lambda: rows)
    if not facts.labels.classes:
        raise StatementError(
            f"class_level_explain needs a classifier; {facts.name} is a {facts.model_type}",
            where=call.where,
            hint="leave class_level_explain out",
        )
    by_class = [pa.field(facts.labels.column, facts.label_type), *fields]
    return small_rows(call, pa.schema(by_class), lambda: _class_rows(facts, found))


def _importance_rows(facts: ModelFacts) -> list[dict[str, Any]]:
    importance = facts.fitted["importance"]
    splits = [0.0] * len(facts.plan.features)
    gain, cover = list(splits), list(splits)
    for place, column in enumerate(encoded_columns(facts.plan)):
        weight = importance["weight"][place]
        splits[column.feature] += weight
        gain[column.feature] += weight * importance["gain"][place]
        cover[column.feature] += weight * importance["cover"][place]
    return [
        {
            "feature": feature.name,
            "importance_weight": count,
            "importance_gain": gain[ordinal] / count if count else 0.0,
            "importance_cover": cover[ordinal] / count if count else 0.0,
        }
        for ordinal, (feature, count) in enumerate(zip(facts.plan.features, splits, strict=True))
    ]


def _ranked(features: Sequence[str], attributions: Sequence[float]) -> list[dict[str, Any]]:
    pairs = sorted(zip(features, attributions, strict=True), key=lambda pair: -abs(pair[1]))
    return [{"feature": feature, "attribution": attribution} for feature, attribution in pairs]


def _class_rows(facts: ModelFacts, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = facts.class_values().to_pylist()
    # The log-odds of one of two classes are those of the other with the sign turned: equal in size.
    lists = found["classes"] or [found["overall"]] * len(values)
    return [
        {facts.labels.column: value, **row}
        for value, attributions in zip(values, lists, strict=True)
        for row in _ranked(found["features"], attributions)[:_TOP]
    ]
