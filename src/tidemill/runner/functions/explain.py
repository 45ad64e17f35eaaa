"""ML.EXPLAIN_PREDICT: a prediction, and the features that moved it most.

A prediction is taken apart into a baseline and one addend per feature: in the label's unit for regression, in log-odds
of the positive class for two classes, and in the score (before the softmax) of the predicted class for more.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-explain-predict
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.rows import Rows
from tidemill.evaluation.attributions import by_feature, strongest
from tidemill.evaluation.confusion import THRESHOLD, called_classes
from tidemill.features.plan import encoded_columns
from tidemill.runner.functions.columns import seen_of
from tidemill.runner.functions.facts import ModelFacts, facts_of
from tidemill.runner.functions.predict import predicted_labels
from tidemill.runner.functions.scoring import explained_batches, feature_source

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.runner.call import FunctionCall

_TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Rows explained: scores, called classes (None for regression), attributions (n, features), baselines (n,)."""

    scores: np.ndarray
    called: np.ndarray | None
    attributions: np.ndarray
    baseline: np.ndarray


def explain_predict(call: FunctionCall) -> Rows:
    """Columns of the explanation first, then the input columns; each input row gives one row."""
    import pyarrow as pa

    facts = facts_of(call)
    seen = seen_of(call, explanation_fields(facts))
    source = feature_source(call, facts)
    if not seen.made:
        return call.inputs[0].rows(select=seen.passed)
    top = int(call.settings.get("top_k_features", _TOP))
    threshold = float(call.settings.get("threshold", THRESHOLD))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, scores, contributions in explained_batches(call, source, seen.passed, facts):
            explained = take_apart(facts, scores, contributions, threshold)
            columns = [_column(facts, field.name, explained, top) for field in seen.made]
            columns += [batch.column(name) for name in seen.passed]
            yield pa.RecordBatch.from_arrays(columns, schema=seen.schema)

    return Rows(seen.schema, batches)


def explanation_fields(facts: ModelFacts) -> list[pa.Field]:
    """The columns that an explanation adds."""
    import pyarrow as pa

    classes = bool(facts.labels.classes)
    fields = [pa.field(f"predicted_{facts.labels.column}", facts.label_type if classes else pa.float64())]
    if classes:
        fields.append(pa.field("probability", pa.float64()))
    fields.append(pa.field("top_feature_attributions", pa.list_(_attribution_type())))
    numbers = ("baseline_prediction_value", "prediction_value", "approximation_error")
    return [*fields, *(pa.field(name, pa.float64()) for name in numbers)]


def take_apart(facts: ModelFacts, scores: np.ndarray, contributions: np.ndarray, threshold: float) -> Explained:
    """Attributions per feature of the output that is explained for each row."""
    import numpy as np

    groups = [column.feature for column in encoded_columns(facts.plan)]
    attributions, baseline = by_feature(contributions, groups, len(facts.plan.features))
    called = called_classes(scores, threshold) if facts.labels.classes else None
    # Regression and two classes have one output; of more classes, the predicted one is explained.
    output = np.zeros(len(scores), dtype=np.int64) if called is None or attributions.shape[1] == 1 else called
    rows = np.arange(len(scores))
    return Explained(
        scores=scores, called=called, attributions=attributions[rows, output], baseline=baseline[rows, output]
    )


def _attribution_type() -> pa.DataType:
    import pyarrow as pa

    return pa.struct([pa.field("feature", pa.string()), pa.field("attribution", pa.float64())])


def _column(facts: ModelFacts, name: str, explained: Explained, top: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    rows = len(explained.scores)
    match name:
        case "probability" if explained.called is not None:
            return pa.array(explained.scores[np.arange(rows), explained.called], type=pa.float64())
        case "top_feature_attributions":
            return _top_attributions(facts, explained.attributions, top)
        case "baseline_prediction_value":
            return pa.array(explained.baseline)
        case "prediction_value":
            return pa.array(explained.baseline + explained.attributions.sum(axis=1))
        case "approximation_error":
            return pa.array(np.zeros(rows))
        case _ if explained.called is not None:
            return predicted_labels(facts, explained.called)
        case _:
            return pa.array(explained.scores, type=pa.float64())


def _top_attributions(facts: ModelFacts, attributions: np.ndarray, top: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    order = strongest(attributions, top)
    rows, count = order.shape
    names = pa.array([feature.name for feature in facts.plan.features], type=pa.string())
    pairs = pa.StructArray.from_arrays(
        [
            names.take(pa.array(order.reshape(-1))),
            pa.array(np.take_along_axis(attributions, order, axis=1).reshape(-1)),
        ],
        fields=list(_attribution_type()),
    )
    offsets = pa.array(np.arange(0, rows * count + 1, count, dtype=np.int32) if count else np.zeros(rows + 1, np.int32))
    return pa.ListArray.from_arrays(offsets, pairs, type=pa.list_(_attribution_type()))
