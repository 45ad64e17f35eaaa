"""Batch gradient descent for linear and logistic regression, with a line search or a constant rate.

The objective is the weighted mean loss of the rows + L1_REG * sum|w| + L2_REG * sum w^2, over all weights but the
intercept. Steps are taken along the gradient of the smooth part; with L1_REG each is followed by soft thresholding, so
that weights reach exactly zero.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
Parikh and Boyd, Proximal algorithms, 2014, section 4.2, doi:10.1561/2400000003 (the step with L1_REG)
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.model_types._stopping import Stopping
from tidemill.model_types.base import FitRequest, Iteration

# What the line search tries, as multiples of the last best rate.
_MULTIPLES = (2.0, 1.0, 0.5, 0.25)
# Below the last tried rate the search goes on by quarters until the loss falls, at most so many times.
_MORE_QUARTERS = 40


class Loss(Protocol):
    """A convex loss of margins, shape (n, k), against labels, shape (n,)."""

    def mean(self, margin: np.ndarray, y: np.ndarray, share: np.ndarray | None) -> float:
        """The mean loss; ``share`` holds each row's weight as a share of all, or None for equal shares."""

    def slope(self, margin: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Derivative of each row's loss by its margins, shape (n, k)."""


@dataclass(slots=True, kw_only=True)
class Weights:
    """Weights, shape (width, k), and intercepts, shape (k,)."""

    w: np.ndarray
    b: np.ndarray


def row_shares(weight: np.ndarray | None) -> np.ndarray | None:
    """Row weights scaled to add up to one."""
    return None if weight is None else weight / weight.sum()


def descend(request: FitRequest, loss: Loss, outputs: int) -> tuple[Weights, list[Iteration]]:
    """Descend from zero weights, or from those that the request starts from; see the module for the objective.

    Raises
    ------
    DataError
        The loss is not finite: the constant rate is too large for these rows.
    """
    return _Descent(request, loss, outputs).run()


class _Descent:
    def __init__(self, request: FitRequest, loss: Loss, outputs: int) -> None:
        data, options = request.data, request.options
        self.request, self.loss, self.data = request, loss, data
        self.share = row_shares(data.weight)
        self.eval_share = row_shares(data.weight_eval)
        self.l1, self.l2 = float(options["l1_reg"]), float(options["l2_reg"])
        self.intercept = bool(options["fit_intercept"])
        self.searches = options["learn_rate_strategy"] == "LINE_SEARCH"
        self.rate = float(options["ls_init_learn_rate"] if self.searches else options["learn_rate"])
        self.at = Weights(w=np.zeros((data.x.shape[1], outputs)), b=np.zeros(outputs))
        self.margin = np.zeros((len(data.x), outputs))
        if request.start is not None:
            self.at = Weights(w=request.start.w, b=request.start.b if self.intercept else self.at.b)
            self.margin = data.x @ self.at.w + self.at.b

    def run(self) -> tuple[Weights, list[Iteration]]:
        stopping = Stopping.of(self.request.options)
        iterations: list[Iteration] = []
        for number in range(int(self.request.options["max_iterations"])):
            began = time.perf_counter()
            moved = self._step()
            if moved is None:
                break
            row = Iteration(
                iteration=number,
                loss=moved,
                eval_loss=self._eval_loss(),
                learning_rate=self.rate,
                duration_ms=round((time.perf_counter() - began) * 1000),
            )
            iterations.append(row)
            self.request.progress(row)
            if stopping.says_stop(iterations):
                break
        return self.at, iterations or [self._standing_still()]

    def _step(self) -> float | None:
        """One iteration; returns the new mean loss, or None where no step lowers the objective."""
        slope = self.loss.slope(self.margin, self.data.y)
        slope = slope / len(slope) if self.share is None else slope * self.share[:, None]
        towards = Weights(
            w=self.data.x.T @ slope + 2.0 * self.l2 * self.at.w,
            b=slope.sum(axis=0) if self.intercept else np.zeros(len(self.at.b)),
        )
        if not self.searches:
            at, margin = self._moved(towards, self.rate, None)
            return self._settle(at, margin, self.rate)
        # Without L1_REG margins move along a line, so that one product serves all rates tried.
        along = None if self.l1 else self.data.x @ towards.w + towards.b
        return self._search(towards, along)

    def _search(self, towards: Weights, along: np.ndarray | None) -> float | None:
        now = self._objective(self.at, self.margin)
        tried = [self._tried(towards, self.rate * multiple, along) for multiple in _MULTIPLES]
        best = min(tried, key=lambda trial: trial[0])
        rate = self.rate * _MULTIPLES[-1]
        for _ in range(_MORE_QUARTERS):
            if best[0] < now:
                break
            rate *= 0.25
            best = self._tried(towards, rate, along)
        if not best[0] < now:
            return None
        at, margin = self._moved(towards, best[1], along)
        return self._settle(at, margin, best[1])

    def _tried(self, towards: Weights, rate: float, along: np.ndarray | None) -> tuple[float, float]:
        """The objective after a step at this rate (infinite where it overflows), and the rate."""
        at, margin = self._moved(towards, rate, along)
        reached = self._objective(at, margin)
        return (reached if np.isfinite(reached) else np.inf), rate

    def _moved(self, towards: Weights, rate: float, along: np.ndarray | None) -> tuple[Weights, np.ndarray]:
        w = self.at.w - rate * towards.w
        b = self.at.b - rate * towards.b
        if self.l1:
            w = np.sign(w) * np.maximum(np.abs(w) - rate * self.l1, 0.0)
        margin = self.data.x @ w + b if along is None else self.margin - rate * along
        return Weights(w=w, b=b), margin

    def _settle(self, at: Weights, margin: np.ndarray, rate: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            reached = self.loss.mean(margin, self.data.y, self.share)
        if not np.isfinite(reached):
            raise DataError(
                f"gradient descent left the range of numbers at a learning rate of {rate:g}",
                hint="lower LEARN_RATE, or leave LEARN_RATE_STRATEGY out so that the rate is searched",
                learn_rate=rate,
            )
        self.at, self.margin, self.rate = at, margin, rate
        return reached

    def _objective(self, at: Weights, margin: np.ndarray) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            reached = self.loss.mean(margin, self.data.y, self.share)
        return reached + self.l1 * float(np.abs(at.w).sum()) + self.l2 * float((at.w**2).sum())

    def _eval_loss(self) -> float | None:
        if len(self.data.x_eval) == 0:
            return None
        margin = self.data.x_eval @ self.at.w + self.at.b
        return self.loss.mean(margin, self.data.y_eval, self.eval_share)

    def _standing_still(self) -> Iteration:
        """The first weights are already the minimum: those of WARM_START, or zeros, by a penalty."""
        loss = self.loss.mean(self.margin, self.data.y, self.share)
        return Iteration(iteration=0, loss=loss, eval_loss=self._eval_loss(), learning_rate=self.rate, duration_ms=0)
