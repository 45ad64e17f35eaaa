"""Scoring the data of a call: rows beside the scores of a model, in the data's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import InternalError, LabelError
from tidemill.features.encode import BatchEncoder
from tidemill.model_types.table import find_model_type
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.functions.reading import Needed, Source, find_columns, needed_features
from tidemill.serving.scorer import Scorer
from tidemill.training.labels import encode_labels

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.model_types.base import Fitted
    from tidemill.runner.call import FunctionCall

# Attributions take memory per row, encoded column and class: about 128 MiB at once.
_MOST_CELLS = 1 << 24
_LEAST_ROWS = 64

Judged = Callable[[], "tuple[np.ndarray, np.ndarray]"]


def feature_source(call: FunctionCall, facts: ModelFacts, *, also: Sequence[str] = ()) -> Source:
    """Find the columns a model scores in the data of a call, and other columns that the call needs."""
    plan = facts.plan
    others = [Needed(name=name) for name in also]
    if not plan.transforms:
        return find_columns(call, [*needed_features(plan), *others])
    read = {feature.column for feature in plan.features}
    computed = {column.name: column.sql for column in plan.transforms if column.name in read}
    return find_columns(call, others, computed=computed, raw=[column.name for column in plan.inputs])


def scored_batches(
    call: FunctionCall, source: Source, passed: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    """Batches of the data with their scores: predictions, or probabilities of the classes in ascending order."""
    assert call.model is not None  # noqa: S101  `facts_of` was asked before
    scorer = Scorer.open(call.model, threads=call.threads)
    waiting: deque[pa.RecordBatch] = deque()

    def features() -> Iterator[pa.RecordBatch]:
        for batch in source.rows(call.inputs[0], passed).batches():
            waiting.append(batch)
            yield source.pick(batch)

    # The scorer may read ahead before it answers; it answers batch by batch in the order it read them.
    for _, scores in scorer.score_stream(features(), many=call.many):
        yield waiting.popleft(), scores


def judged_rows(call: FunctionCall, facts: ModelFacts) -> Judged:
    """Labels and scores to judge: of the call's data, or, without data, of the rows that training evaluated.

    Raises
    ------
    LabelError
        When read: a label is NULL, or of a class the model does not know.
    """
    if not call.inputs:
        return facts.evaluation
    source = feature_source(call, facts, also=[facts.labels.column])
    label = source.columns[facts.labels.column]

    def read() -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        labels: list[np.ndarray] = []
        scores: list[np.ndarray] = []
        for batch, found in scored_batches(call, source, [label]):
            labels.append(_labels_of(call, facts, batch.column(label)))
            scores.append(found)
        if not labels:
            classes = len(facts.labels.classes)
            return np.empty(0, np.int64 if classes else np.float64), np.empty((0, classes) if classes else 0)
        return np.concatenate(labels), np.concatenate(scores)

    return read


def _labels_of(call: FunctionCall, facts: ModelFacts, values: pa.Array) -> np.ndarray:
    import numpy as np
    import pyarrow as pa

    column, classes = facts.labels.column, facts.labels.classes
    if values.null_count:
        raise LabelError(
            f"label {column} is NULL in rows given to {call.function}: there is nothing to hold the prediction against",
            where=call.where,
            hint=f"leave those rows out: WHERE {column} IS NOT NULL",
            column=column,
        )
    try:
        encoded = encode_labels(values, classes)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        trained = facts.manifest["label"]["type"]
        raise LabelError(
            f"label {column} is {values.type} in the data of {call.function}; in training it was {trained}",
            where=call.where,
            hint=f"cast {column} in the data",
            column=column,
        ) from error
    unknown = encoded < 0 if classes else np.isnan(encoded)
    if unknown.any():
        value = values[int(np.flatnonzero(unknown)[0])].as_py()
        raise LabelError(
            f"label {column} has the value {value!r}, which model {facts.name} was not trained on",
            where=call.where,
            hint=f"the model knows {', '.join(map(str, classes[:12]))}" if classes else "leave those rows out",
            column=column,
            value=str(value),
        )
    return encoded


def explained_batches(
    call: FunctionCall, source: Source, passed: Sequence[str], facts: ModelFacts
) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Batches of the data with their scores and what each encoded column adds to them."""
    fitted, encoder = open_fitted(facts), BatchEncoder(facts.plan)
    cells = (facts.plan.width + 1) * max(1, len(facts.labels.classes))
    for batch in source.rows(call.inputs[0], passed, rows_per_batch=max(_LEAST_ROWS, _MOST_CELLS // cells)).batches():
        x = encoder.matrix(source.pick(batch))
        yield batch, fitted.scores(x), fitted.contributions(x)


def open_fitted(facts: ModelFacts) -> Fitted:
    """Read the fitted model back from its native files."""
    row = find_model_type(facts.model_type)
    if row is None or row.load is None:
        raise InternalError(f"model {facts.name} is a {facts.model_type}, which cannot be read back")
    return row.load(facts.model.files, facts.fitted)
