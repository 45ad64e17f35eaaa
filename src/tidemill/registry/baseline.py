"""What a version's answers are compared with: distributions at training, and scores of the held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.distribution import Distribution, distribution_from_json
from tidemill.core.errors import CorruptError
from tidemill.model_types._arrays import read_arrays
from tidemill.training.artifact import BASELINE, EVALUATION, read_json_file

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel

FORMATS = (1,)
MOST_HELD_OUT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Rows the version was judged on, at most 20,000 of them, evenly spread.

    Parameters
    ----------
    y
        Regression: the label, shape (n,). Classification: the class ordinal, shape (n,).
    scores
        Regression: the prediction, shape (n,). Classification: probabilities, shape (n, classes).
    trained_on
        Whether the model was trained on these rows, so that it looks better on them than it is.
    """

    y: np.ndarray[Any, Any]
    scores: np.ndarray[Any, Any]
    trained_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A version as it was at training.

    Parameters
    ----------
    inputs
        Distributions of the raw columns over the training rows, by name. Columns of arrays, structs and the like have
        none.
    label
        Of the training rows: a number, or the classes as texts.
    prediction
        Of the held-out rows: what was predicted, or which class was called.
    probabilities
        Of the held-out rows, by class; of two classes only the positive (last) one, of more than 20 none.
    held_out_span
        How long a time the held-out rows are of, where they are the newest of all; else None.
    """

    inputs: Mapping[str, Distribution]
    label: Distribution
    prediction: Distribution
    probabilities: Mapping[str, Distribution]
    held_out: HeldOut
    rows_train: int
    held_out_span: timedelta | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes as texts, in the order of the scores; empty for a regression."""
        return self.label.values


def read_baseline(model: LoadedModel) -> Baseline | None:
    """The baseline of a version; None for one that was trained before baselines were kept: train it again to have one.

    Raises
    ------
    CorruptError
        The file is not one that this release can read.
    """
    if BASELINE not in model.files:
        return None
    kept = read_json_file(model.files, BASELINE)
    if kept.get("format") not in FORMATS:
        raise CorruptError(
            f"{BASELINE} of model {model.name} version {model.version} has format {kept.get('format')}",
            hint="a newer release of Tidemill wrote it: use that, or train the model again",
        )
    return Baseline(
        inputs={name: distribution_from_json(one) for name, one in kept["inputs"].items()},
        label=distribution_from_json(kept["label"]),
        prediction=distribution_from_json(kept["prediction"]),
        probabilities={name: distribution_from_json(one) for name, one in kept["probabilities"].items()},
        held_out=_held_out(model),
        rows_train=int(kept["rows_train"]),
        held_out_span=timedelta(seconds=kept["held_out_seconds"]) if "held_out_seconds" in kept else None,
    )


def _held_out(model: LoadedModel) -> HeldOut:
    arrays = read_arrays(model.files[EVALUATION])
    step = -(-len(arrays["y"]) // MOST_HELD_OUT) or 1
    return HeldOut(y=arrays["y"][::step], scores=arrays["scores"][::step], trained_on=model.evaluated_on == "training")
