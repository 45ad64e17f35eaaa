"""Logistic regression: the odds of the higher class, or a softmax over more than two classes.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import UnsupportedError
from tidemill.model_types._arrays import read_arrays, write_arrays
from tidemill.model_types._descent import descend
from tidemill.model_types._graph import likeliest, linear_nodes
from tidemill.model_types._linear import inference_info, pseudo_inverse, t_values
from tidemill.model_types.base import FitRequest, Iteration

FILE = "weights.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """Weights, shape (width, k), and intercepts, shape (k,): k is 1 for two classes, the number of classes otherwise.

    ``covariance`` (CALCULATE_P_VALUES, two classes) is that of the estimated weights and, last, the intercept.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    covariance: np.ndarray | None = None
    p_values: np.ndarray | None = None

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Log-odds of the higher class, shape (n, 1), or the classes' scores before the softmax, shape (n, k)."""
        margin: np.ndarray = x @ self.weights + self.intercepts
        return margin

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of the classes in ascending order, shape (n, classes)."""
        margin = self.margins(x)
        if margin.shape[1] > 1:
            return softmax(margin)
        return np.column_stack([sigmoid(-margin[:, 0]), sigmoid(margin[:, 0])])

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """What each encoded column adds to the margin and, last, the intercept.

        Shape (n, width + 1) for two classes, (n, classes, width + 1) for more.
        """
        parts = x[:, None, :] * self.weights.T[None, :, :]
        intercepts = np.broadcast_to(self.intercepts[None, :, None], (*parts.shape[:2], 1))
        joined = np.concatenate([parts, intercepts], axis=2)
        return joined[:, 0] if joined.shape[1] == 1 else joined

    def files(self) -> dict[str, bytes]:
        """The arrays, without objects."""
        arrays = {"weights": self.weights, "intercepts": self.intercepts}
        if self.covariance is not None and self.p_values is not None:
            arrays |= {"covariance": self.covariance, "p_values": self.p_values}
        return {FILE: write_arrays(arrays)}

    def onnx_nodes(self, builder: Any, x: str) -> tuple[str, str]:
        """Append the margins and their probabilities; ``x`` is the encoded matrix. Returns (class index, scores)."""
        margin = linear_nodes(builder, x, self.weights, self.intercepts)
        if len(self.intercepts) > 1:
            probabilities = builder.node("Softmax", margin, axis=1)
        else:
            negative = builder.node("Sigmoid", builder.node("Neg", margin))
            probabilities = builder.join([negative, builder.node("Sigmoid", margin)])
        return likeliest(builder, probabilities), probabilities

    def info(self) -> dict[str, Any]:
        """Standardised weights by encoded column, one column per margin; standard errors where asked for."""
        return {
            "kind": "logistic",
            "strategy": "BATCH_GRADIENT_DESCENT",
            "weights": self.weights.tolist(),
            "intercepts": self.intercepts.tolist(),
            **inference_info(self.covariance, self.p_values),
        }


def fit_logistic(request: FitRequest) -> tuple[Logistic, list[Iteration]]:
    """Fit LOGISTIC_REG by gradient descent.

    Raises
    ------
    UnsupportedError
        CALCULATE_P_VALUES with more than two classes.
    """
    classes = len(request.data.labels.classes)
    if request.options["calculate_p_values"] and classes > 2:
        raise UnsupportedError(
            f"CALCULATE_P_VALUES needs a label of two classes; {request.data.labels.column} has {classes}",
            hint="leave CALCULATE_P_VALUES out, or predict one class against the rest",
        )
    if classes == 2:
        at, iterations = descend(request, LogLoss(), 1)
    else:
        at, iterations = descend(request, SoftmaxLoss(), classes)
    fitted = Logistic(weights=at.w, intercepts=at.b)
    if request.options["calculate_p_values"]:
        fitted = _with_p_values(request, fitted)
    return fitted, iterations


def load_logistic(files: Mapping[str, bytes], info: Mapping[str, Any]) -> Logistic:  # noqa: ARG001 - one shape for all types
    """Read a logistic model back from the files of `Logistic.files`."""
    arrays = read_arrays(files[FILE])
    return Logistic(
        weights=arrays["weights"],
        intercepts=arrays["intercepts"],
        covariance=arrays.get("covariance"),
        p_values=arrays.get("p_values"),
    )


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-margin)) without overflow."""
    small = np.exp(-np.abs(margin))
    result: np.ndarray = np.where(margin >= 0, 1.0, small) / (1.0 + small)
    return result


def softmax(margin: np.ndarray) -> np.ndarray:
    """Exponentials of each row as shares of their sum."""
    grown = np.exp(margin - margin.max(axis=1, keepdims=True))
    shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
    return shares


class LogLoss:
    """Cross-entropy of two classes; the margin is the log-odds of class 1."""

    def mean(self, margin: np.ndarray, y: np.ndarray, share: np.ndarray | None) -> float:
        """Mean of ln(1 + exp(-margin)) where y is 1, of ln(1 + exp(margin)) where it is 0."""
        losses = np.logaddexp(0.0, np.where(y == 1, -margin[:, 0], margin[:, 0]))
        return float(losses.mean() if share is None else losses @ share)

    def slope(self, margin: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Probability minus label."""
        slope: np.ndarray = (sigmoid(margin[:, 0]) - y)[:, None]
        return slope


class SoftmaxLoss:
    """Cross-entropy of more than two classes."""

    def mean(self, margin: np.ndarray, y: np.ndarray, share: np.ndarray | None) -> float:
        """Mean of ln(sum(exp(margins))) minus the margin of the row's class."""
        top = margin.max(axis=1)
        logs = np.log(np.exp(margin - top[:, None]).sum(axis=1)) + top
        losses = logs - margin[np.arange(len(y)), y]
        return float(losses.mean() if share is None else losses @ share)

    def slope(self, margin: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Probabilities minus the one-hot label."""
        slope = softmax(margin)
        slope[np.arange(len(y)), y] -= 1.0
        return slope


def _with_p_values(request: FitRequest, fitted: Logistic) -> Logistic:
    """Standard errors from the inverse of the log-likelihood's curvature, and the normal distribution (Wald).

    References
    ----------
    Hosmer, Lemeshow and Sturdivant, Applied logistic regression, 3rd edition, section 2.4.
    """
    from scipy import special

    data = request.data
    design = np.column_stack([data.x, np.full(len(data.x), float(request.options["fit_intercept"]))])
    chance = fitted.scores(data.x)[:, 1]
    curvature = chance * (1.0 - chance)
    if data.weight is not None:
        curvature = curvature * data.weight
    covariance, _ = pseudo_inverse((design * curvature[:, None]).T @ design)
    z = t_values(np.append(fitted.weights[:, 0], fitted.intercepts[0]), covariance)
    return replace(fitted, covariance=covariance, p_values=2.0 * special.ndtr(-np.abs(z)))
