"""Quality without labels: what is to be expected of some rows, how sure that is, and whether it can be believed.

Confidence-based performance estimation [1]_ [2]_: what the model says of its held-out rows is calibrated, and with the
calibrated probabilities of new rows every metric has an expected value. The interval that is given is that of the
metric which the labels will show when they come: it has the chance of the labels in it, and how well the calibration is
known. For regressors, the loss of a row is estimated from its prediction [3]_.

All of it supposes that rows with one score turn out as they did among the held-out rows. Other scores than before are
no matter; another relation of scores and labels is, and cannot be seen without labels. ``check`` looks for it where
there are some.

References
----------
.. [1] J. Kivimäki, J. Białek, W. Kuberski, J. K. Nurminen, "Performance estimation in binary classification using
   calibrated confidence", 2025, https://arxiv.org/abs/2505.05295.
.. [2] NannyML, "Performance estimation",
   https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html.
.. [3] NannyML, "Direct loss estimation", the same page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.evaluation.class_estimate import ClassifierEstimator
from tidemill.evaluation.estimated import Estimator
from tidemill.evaluation.loss_estimate import RegressorEstimator

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

MOST_HELD = 100_000
"""Of more held-out rows than this, every n-th calibrates: the curve gets no surer worth the time."""


def learn_estimator(labels: Labels, y: np.ndarray, scores: np.ndarray, *, sides: np.ndarray | None = None) -> Estimator:
    """Learn from held-out rows, as `evaluation.judge.judge` takes them.

    Parameters
    ----------
    sides
        Columns beside the score (`evaluation.sides`); estimates then need them too.
    """
    step = -(-len(y) // MOST_HELD) or 1
    y, scores, sides = y[::step], scores[::step].astype(np.float64), None if sides is None else sides[::step]
    if labels.classes:
        return ClassifierEstimator.learn(y.astype(np.int64), scores, sides)
    return RegressorEstimator.learn(y, scores, sides)
