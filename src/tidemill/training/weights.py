"""How much each row counts: by its class, or by a column of its own.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm#auto_class_weights
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError, OptionError, Where
from tidemill.core.names import did_you_mean
from tidemill.core.words import class_text


def class_weights(
    options: Mapping[str, Any], classes: Sequence[Any], y: np.ndarray, *, where: Where | None
) -> np.ndarray | None:
    """Weight of each class, shape (classes,), or None when all weigh the same.

    AUTO_CLASS_WEIGHTS: rows / (rows of the class * number of classes), over the training rows.

    Raises
    ------
    OptionError
        CLASS_WEIGHTS leaves a class out, or names one that is not in the rows.
    """
    if not classes:
        return None
    if options.get("auto_class_weights"):
        counts = np.bincount(y, minlength=len(classes)).astype(np.float64)
        weights: np.ndarray = len(y) / (np.maximum(counts, 1.0) * len(classes))
        return weights
    if not options.get("class_weights"):
        return None
    given = dict(_pairs(options["class_weights"]))
    names = [class_text(value) for value in classes]
    for name in given:
        if name not in names:
            raise OptionError(
                f"CLASS_WEIGHTS names {name}, which is not a value of the label",
                where=where,
                hint=did_you_mean(name, names),
                value=name,
            )
    missing = [name for name in names if name not in given]
    if missing:
        raise OptionError(
            f"CLASS_WEIGHTS has no weight for {', '.join(missing[:8])}",
            where=where,
            hint="every value of the label needs a weight; 1.0 leaves a class as it is",
            missing=missing,
        )
    return np.array([given[name] for name in names])


def _pairs(value: Any) -> list[tuple[str, float]]:
    pairs = []
    for item in value.items() if isinstance(value, Mapping) else value:
        name, weight = item.values() if isinstance(item, Mapping) else item
        pairs.append((class_text(name), float(weight)))
    return pairs


def check_weights(values: np.ndarray, column: str, *, where: Where | None) -> None:
    """Refuse weights that are missing or negative.

    Raises
    ------
    DataError
        Some are.
    """
    wrong = int((~(values >= 0) | np.isinf(values)).sum())
    if wrong:
        raise DataError(
            f"INSTANCE_WEIGHT_COL {column} is NULL, negative or not finite in {wrong:,} rows",
            where=where,
            hint="leave those rows out, or give them a weight",
            rows=wrong,
        )
    if not values.sum():
        raise DataError(f"INSTANCE_WEIGHT_COL {column} is 0 in all training rows", where=where)
