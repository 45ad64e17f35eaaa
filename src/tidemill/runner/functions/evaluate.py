"""ML.EVALUATE, ML.CONFUSION_MATRIX and ML.ROC_CURVE: scores held against labels.

Without data they use the rows that training set aside (or, when it set none aside, the training rows), whose labels
and scores are kept in the model's files.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-evaluate
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-confusion
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-roc
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import StatementError
from tidemill.core.names import name_key
from tidemill.core.rows import Rows
from tidemill.core.words import class_text
from tidemill.evaluation.confusion import THRESHOLD, called_classes, confusion_matrix
from tidemill.evaluation.curves import default_thresholds, roc_curve
from tidemill.evaluation.judge import judge, metric_names
from tidemill.runner.functions.columns import small_rows
from tidemill.runner.functions.facts import facts_of
from tidemill.runner.functions.scoring import judged_rows

if TYPE_CHECKING:
    import numpy as np

    from tidemill.runner.call import FunctionCall

_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def evaluate(call: FunctionCall) -> Rows:
    """Return one row of metrics; one that has no value on the rows is NULL."""
    import pyarrow as pa

    facts = facts_of(call)
    threshold = _threshold(call)
    judged = judged_rows(call, facts)

    def make() -> list[dict[str, Any]]:
        if not call.inputs and threshold == THRESHOLD:
            return [dict(facts.metrics)]
        y, scores = judged()
        return [dict(judge(facts.labels, y, scores, threshold=threshold))]

    return small_rows(call, pa.schema([(name, pa.float64()) for name in metric_names(facts.labels)]), make)


def confusion(call: FunctionCall) -> Rows:
    """Return a row per class: the rows that have it, counted by the class they were given."""
    import pyarrow as pa

    facts = facts_of(call)
    threshold = _threshold(call)
    judged = judged_rows(call, facts)
    names = class_columns(facts.labels.classes)
    fields = [pa.field("expected_label", facts.label_type), *(pa.field(name, pa.int64()) for name in names)]

    def make() -> list[dict[str, Any]]:
        y, scores = judged()
        counts = confusion_matrix(y, called_classes(scores, threshold), len(names)).tolist()
        values = facts.class_values().to_pylist()
        return [
            {"expected_label": value, **dict(zip(names, row, strict=True))}
            for value, row in zip(values, counts, strict=True)
        ]

    return small_rows(call, pa.schema(fields), make)


def roc(call: FunctionCall) -> Rows:
    """Return a row per threshold, of a classifier of two classes."""
    import pyarrow as pa

    facts = facts_of(call)
    if len(facts.labels.classes) != 2:
        raise StatementError(
            f"ML.ROC_CURVE needs a classifier of two classes; model {facts.name} has {len(facts.labels.classes)}",
            where=call.where,
            hint="use ML.CONFUSION_MATRIX or ML.EVALUATE",
        )
    asked = _asked_thresholds(call)
    judged = judged_rows(call, facts)
    schema = pa.schema(
        [(name, pa.float64()) for name in ("threshold", "recall", "false_positive_rate")]
        + [(name, pa.int64()) for name in _COUNTS]
    )

    def make() -> list[dict[str, Any]]:
        y, scores = judged()
        return _roc_rows(y == 1, scores[:, 1], asked)

    return small_rows(call, schema, make)


def class_columns(classes: Sequence[Any]) -> list[str]:
    """Names of the columns of a confusion matrix: each class's text, made a valid name (``0`` becomes ``_0``).

    Two classes whose names would differ in nothing but letter case get numbers at the end.
    """
    names: list[str] = []
    taken = {name_key("expected_label")}
    for value in classes:
        name = re.sub(r"\W", "_", class_text(value))
        if not name or name[0].isdigit():
            name = f"_{name}"
        unique, number = name, 1
        while name_key(unique) in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(name_key(unique))
        names.append(unique)
    return names


def _roc_rows(positive: np.ndarray, scores: np.ndarray, asked: np.ndarray | None) -> list[dict[str, Any]]:
    curve = roc_curve(positive, scores, default_thresholds(scores) if asked is None else asked)
    columns = {
        "threshold": curve.thresholds,
        "recall": curve.recall,
        "false_positive_rate": curve.false_positive_rate,
        **{name: getattr(curve, name) for name in _COUNTS},
    }
    lists = {name: [_plain(value) for value in values.tolist()] for name, values in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _threshold(call: FunctionCall) -> float:
    return float(call.settings.get("threshold", THRESHOLD))


def _asked_thresholds(call: FunctionCall) -> np.ndarray | None:
    import numpy as np

    if not call.arguments or call.arguments[0] is None:
        return None
    given = call.arguments[0]
    if not isinstance(given, list | tuple) or not all(_is_number(value) for value in given):
        raise StatementError(
            "the thresholds of ML.ROC_CURVE must be an array of numbers",
            where=call.where,
            hint="for example GENERATE_ARRAY(0.4, 0.6, 0.01) or [0.4, 0.5, 0.6]",
        )
    return np.array(given, dtype=np.float64)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
