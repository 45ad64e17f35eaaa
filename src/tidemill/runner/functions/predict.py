"""ML.PREDICT: a model's answer for each row, and the row.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidemill.core.rows import Rows
from tidemill.evaluation.confusion import THRESHOLD, called_classes
from tidemill.runner.functions.columns import seen_of
from tidemill.runner.functions.facts import ModelFacts, facts_of
from tidemill.runner.functions.scoring import feature_source, scored_batches

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.runner.call import FunctionCall


def predict(call: FunctionCall) -> Rows:
    """Model columns first, then the input columns; each input row gives one row, in the input's order.

    Only what the surrounding query can see is read and worked out: a query that counts rows scores none.
    """
    import pyarrow as pa

    facts = facts_of(call)
    threshold = call.settings.get("threshold", THRESHOLD)
    seen = seen_of(call, prediction_fields(facts))
    source = feature_source(call, facts)
    if not seen.made:
        return call.inputs[0].rows(select=seen.passed)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, scores in scored_batches(call, source, seen.passed):
            columns = [_column(facts, field, scores, threshold) for field in seen.made]
            columns += [batch.column(name) for name in seen.passed]
            yield pa.RecordBatch.from_arrays(columns, schema=seen.schema)

    return Rows(seen.schema, batches)


def prediction_fields(facts: ModelFacts) -> list[pa.Field]:
    """Columns that a prediction adds: ``predicted_<label>``, and for classifiers ``predicted_<label>_probs``."""
    import pyarrow as pa

    name = f"predicted_{facts.labels.column}"
    if not facts.labels.classes:
        return [pa.field(name, pa.float64())]
    return [pa.field(name, facts.label_type), pa.field(f"{name}_probs", pa.list_(probability_type(facts)))]


def probability_type(facts: ModelFacts) -> pa.DataType:
    """STRUCT<label, prob>."""
    import pyarrow as pa

    return pa.struct([pa.field("label", facts.label_type), pa.field("prob", pa.float64())])


def predicted_labels(facts: ModelFacts, called: np.ndarray) -> pa.Array:
    """The label values of called classes."""
    import pyarrow as pa

    return facts.class_values().take(pa.array(called))


def _column(facts: ModelFacts, field: pa.Field, scores: np.ndarray, threshold: float) -> pa.Array:
    import pyarrow as pa

    if not facts.labels.classes:
        return pa.array(scores, type=pa.float64())
    if pa.types.is_list(field.type) and field.name == f"predicted_{facts.labels.column}_probs":
        return _probabilities(facts, scores)
    return predicted_labels(facts, called_classes(scores, threshold))


def _probabilities(facts: ModelFacts, scores: np.ndarray) -> pa.Array:
    """The probabilities of all classes per row, in descending order of the label."""
    import numpy as np
    import pyarrow as pa

    rows, classes = scores.shape
    order = np.tile(np.arange(classes - 1, -1, -1), rows)
    probabilities = np.ascontiguousarray(scores[:, ::-1], dtype=np.float64).reshape(-1)
    pairs = pa.StructArray.from_arrays(
        [facts.class_values().take(pa.array(order)), pa.array(probabilities)], fields=list(probability_type(facts))
    )
    offsets = pa.array(np.arange(0, (rows + 1) * classes, classes, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pairs, type=pa.list_(probability_type(facts)))
