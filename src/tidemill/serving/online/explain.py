"""Why an answer is what it is: what each feature added to the score.

Linear models are taken apart exactly; trees by Tree SHAP, which needs XGBoost: it is imported with the first question,
takes seconds and some 100 MB, and a server asks it outside its event loop. Features are read by the row reader, which
agrees with the graph. The features of a model with TRANSFORM are TRANSFORM's columns, which the engine computes.

References
----------
.. [1] Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020,
       doi:10.1038/s42256-019-0138-9
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np  # noqa: TID253

from tidemill.core.errors import StateError
from tidemill.evaluation.attributions import by_feature, strongest
from tidemill.features.plan import FeaturePlan, encoded_columns
from tidemill.features.row import RowEncoder, value_of
from tidemill.model_types.base import Fitted
from tidemill.model_types.table import find_model_type
from tidemill.serving.online.transformed import OpenTransform, RowTransform, read_columns
from tidemill.serving.online.types import JsonType, python_value
from tidemill.training.artifact import INFO, read_json_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What one feature added: its name, its value in this row (as JSON has it), and the addend."""

    feature: str
    value: Any
    attribution: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An answer taken apart: ``score`` is ``baseline`` and the attributions added up, in ``unit``.

    Parameters
    ----------
    prediction
        The called class, or the number.
    explained
        The class whose score is explained: the last of two, the called one of more; None for a number.
    unit
        ``log-odds of yes`` for two classes, ``score of red before the softmax`` for more, the label for a number.
    attributions
        The features with the greatest first.
    """

    prediction: Any
    explained: Any
    unit: str
    baseline: float
    score: float
    attributions: tuple[Attribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What an explanation needs of a model. A reference to the model itself would keep a replaced one in memory."""

    name: str
    version: int
    label: str
    classes: tuple[Any, ...]
    plan: FeaturePlan
    model_type: str


class Explainer:
    """Explains the answers of one model; its fitted form is loaded with the first question."""

    def __init__(
        self,
        model: Explained,
        files: Mapping[str, bytes],
        columns: Sequence[tuple[str, JsonType]],
        transform: OpenTransform | None,
    ) -> None:
        self._model = model
        self._files = files
        self._columns = tuple(columns)
        self._open_transform = transform
        self._transform: RowTransform | None = None
        self._fitted: Fitted | None = None
        self._encoder: RowEncoder | None = None
        self._lock = threading.Lock()

    def explain(self, rows: Sequence[Sequence[Any]], predictions: Sequence[Any]) -> list[Explanation]:
        """Explanations of some rows, whose values are in the order of the model's columns.

        Raises
        ------
        StateError
            The model has a TRANSFORM, and there is no engine here that computes it.
        """
        plan = self._model.plan
        given = self._features(rows)
        self._encoder = self._encoder or RowEncoder(plan)
        x = np.array([self._encoder.encode(row) for row in given], dtype=plan.dtype)
        with self._lock:  # a booster is not for several threads at once
            contributions = self._loaded().contributions(x)
        groups = [column.feature for column in encoded_columns(plan)]
        attributions, baselines = by_feature(contributions, groups, len(plan.features))
        return [self._explanation(row, predictions[i], attributions[i], baselines[i]) for i, row in enumerate(given)]

    def _explanation(
        self, row: Mapping[str, Any], prediction: Any, attributions: np.ndarray, baselines: np.ndarray
    ) -> Explanation:
        model = self._model
        # Numbers and two classes have one output; of more classes, the called one is explained.
        output = 0 if len(attributions) == 1 else model.classes.index(prediction)
        explained, unit = None, model.label
        if model.classes:
            explained = model.classes[-1] if len(attributions) == 1 else prediction
            unit = f"log-odds of {explained}" if len(attributions) == 1 else f"score of {explained} before the softmax"
        numbers = attributions[output]
        order = strongest(numbers[None], len(numbers))[0].tolist()
        features = model.plan.features
        return Explanation(
            prediction=prediction,
            explained=explained,
            unit=unit,
            baseline=float(baselines[output]),
            score=float(baselines[output] + numbers.sum()),
            attributions=tuple(
                Attribution(
                    feature=features[at].name,
                    value=_shown(row, features[at].column, features[at].field),
                    attribution=float(numbers[at]),
                )
                for at in order
            ),
        )

    def _features(self, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """The columns that features are read from, row by row."""
        plan = self._model.plan
        if not plan.transforms:
            return [
                {name: python_value(of, value) for (name, of), value in zip(self._columns, row, strict=True)}
                for row in rows
            ]
        if self._open_transform is None:
            raise StateError(
                f"model {self._model.name} version {self._model.version} has a TRANSFORM, whose columns the engine "
                "computes, and there is none here",
                hint="use: tidemill explain",
            )
        if self._transform is None:
            self._transform = self._open_transform(*read_columns(plan, {feature.column for feature in plan.features}))
        names = [name for name, _ in self._columns]
        made = self._transform(dict(zip(names, zip(*rows, strict=True), strict=True)))
        return [dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True)]

    def _loaded(self) -> Fitted:
        if self._fitted is None:
            row = find_model_type(self._model.model_type)
            if row is None or row.load is None:
                raise StateError(f"models of type {self._model.model_type} cannot be explained")
            self._fitted = row.load(self._files, read_json_file(self._files, INFO)["fitted"])
        return self._fitted


def _shown(row: Mapping[str, Any], column: str, field: str) -> Any:
    value = value_of(row, column)
    if field and value is not None:
        value = value_of(value, field)
    return msgspec.to_builtins(value)
