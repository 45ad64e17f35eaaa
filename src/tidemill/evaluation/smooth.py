"""A curve learnt from held-out rows with its uncertainty: labels, or losses, given one number a row.

It is a generalised linear model on a natural cubic spline with few knots. Isotonic regression fits as well, but it is
flat in steps, has no covariance, and at the ends of the range follows single rows; here the covariance of the curve is
known, so that no bootstrap is needed, and beyond the range it goes on as a line.

References
----------
.. [1] T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd ed. 2009, section 5.2.1 (natural
   cubic splines), doi 10.1007/978-0-387-84858-7.
.. [2] F. E. Harrell, Regression Modeling Strategies, 2nd ed. 2015, section 2.4.6 (where knots go),
   doi 10.1007/978-3-319-19425-7.
.. [3] H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50(1), 1982, doi 10.2307/1912526
   (the covariance when the variance is not that of the family).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np  # noqa: TID253

# Quantiles of the knots [2], by how many rows of the rarer kind there are.
_KNOTS = (
    (200, (0.05, 0.275, 0.5, 0.725, 0.95)),
    (60, (0.1, 0.5, 0.9)),
)
_PRIOR = 0.5
"""How strongly the curve is drawn to where it starts from: rows that half a row in each direction is worth."""
_SIDE_PRIOR = 3.0
_STEPS = 50
_CLOSE = 1e-8
_FAR = 30.0
_HUGE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Columns of a natural spline of one number, each with mean 0 and deviation 1 on the rows it was made of."""

    knots: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    @property
    def width(self) -> int:
        """How many columns there are, with the intercept."""
        return 1 + len(self.centre)

    def columns(self, values: np.ndarray) -> np.ndarray:
        """The columns of some rows, an intercept first: shape (n, 1 + columns)."""
        found = np.ones((len(values), 1 + len(self.centre)))
        found[:, 1:] = (spline_columns(values, self.knots) - self.centre) / self.spread
        return found


def learn_basis(values: np.ndarray, *, rarer: int) -> Basis:
    """Knots and scale for some rows.

    Parameters
    ----------
    rarer
        Rows of the rarer kind: what the number of knots depends on.
    """
    quantiles = next((knots for least, knots in _KNOTS if rarer >= least), ())
    knots = np.unique(np.quantile(values, quantiles)) if quantiles else np.empty(0)
    knots = knots if len(knots) >= 3 else np.empty(0)
    raw = spline_columns(values, knots)
    spread = raw.std(axis=0)
    return Basis(knots=knots, centre=raw.mean(axis=0), spread=np.where(spread > 0, spread, 1.0))


def spline_columns(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """A number, and how it bends between its knots: [1]."""
    columns = [values]
    if len(knots):
        last = knots[-1]
        beyond = np.maximum(values - last, 0.0) ** 3

        def bend(knot: float) -> np.ndarray:
            found: np.ndarray = (np.maximum(values - knot, 0.0) ** 3 - beyond) / (last - knot)
            return found

        end = bend(knots[-2])
        columns += [bend(knot) - end for knot in knots[:-2]]
    return np.column_stack(columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A mean given one number.

    Parameters
    ----------
    weights
        One for each column of the basis.
    covariance
        Of the weights.
    share
        Whether it is a share (its logit is a line in the columns, added to the number), else a positive size (its
        logarithm is).
    low, high
        Sizes are not followed beyond what was seen.
    """

    basis: Basis
    weights: np.ndarray
    covariance: np.ndarray
    share: bool
    low: float = -np.inf
    high: float = np.inf

    def columns(self, values: np.ndarray, sides: np.ndarray | None = None) -> np.ndarray:
        """The columns of the basis for some rows, and those beside the number."""
        return _beside(self.basis.columns(np.clip(values, self.low, self.high)), sides)

    def mean(self, values: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The mean of each row."""
        line = columns @ self.weights
        return share_of(line + values) if self.share else np.exp(np.clip(line, -_HUGE, _HUGE))


def share_of(line: np.ndarray) -> np.ndarray:
    """The inverse of the logit."""
    found: np.ndarray = 1.0 / (1.0 + np.exp(-np.clip(line, -_FAR, _FAR)))
    return found


def logit(shares: np.ndarray) -> np.ndarray:
    """The logit, of shares kept a little away from 0 and 1."""
    kept = np.clip(shares.astype(np.float64), 1e-6, 1 - 1e-6)
    found: np.ndarray = np.log(kept / (1.0 - kept))
    return found


def learn_share(values: np.ndarray, y: np.ndarray, sides: np.ndarray | None = None) -> Curve:
    """How often a row is of a class, given the logit of its score; without rows, as often as the score says.

    Parameters
    ----------
    sides
        Other columns that it may depend on, of mean 0 and deviation 1.
    """
    positive = int(y.sum())
    basis = learn_basis(values, rarer=min(positive, len(y) - positive))
    columns = _beside(basis.columns(values), sides)
    prior = _prior(columns, sides)

    def fit(weights: np.ndarray) -> float:
        return _fit(columns @ weights + values, y, weights, prior)

    def newton(weights: np.ndarray) -> np.ndarray:
        mean = share_of(columns @ weights + values)
        information = _information(columns, mean * (1.0 - mean), prior)
        return np.linalg.solve(information, columns.T @ (y - mean) - prior * weights)

    weights = _climb(np.zeros(columns.shape[1]), fit, newton)
    mean = share_of(columns @ weights + values)
    information = _information(columns, mean * (1.0 - mean), prior)
    return Curve(basis=basis, weights=weights, covariance=np.linalg.inv(information), share=True)


def _climb(
    weights: np.ndarray, fit: Callable[[np.ndarray], float], newton: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The weights of the largest fit, from some on by Newton's steps.

    Where scores are 0 or 1, or a few losses are far larger than the others, a step goes far beyond: it is halved until
    the fit gets better.
    """
    reached = fit(weights)
    for _ in range(_STEPS):
        step = newton(weights)
        while not (better := fit(weights + step)) >= reached and np.abs(step).max() > _CLOSE:
            step = step / 2.0
        weights, reached = weights + step, better
        if float(np.abs(step).max()) < _CLOSE:
            break
    return weights


def _fit(line: np.ndarray, y: np.ndarray, weights: np.ndarray, prior: np.ndarray) -> float:
    """The logarithm of the likelihood, with what the prior takes."""
    return float(y @ line - np.logaddexp(0.0, line).sum() - prior @ np.square(weights) / 2.0)


def learn_size(values: np.ndarray, sizes: np.ndarray, sides: np.ndarray | None = None) -> Curve:
    """The mean of something that is never negative, given a number; its variance is taken from the rows [3]."""
    basis = learn_basis(values, rarer=len(values) // 2)
    low, high = float(values.min()), float(values.max())
    columns = _beside(basis.columns(values), sides)
    prior = _prior(columns, sides)
    unit = max(float(sizes.mean()), 1e-300)
    shares = sizes / unit

    def mean_of(weights: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.exp(np.clip(columns @ weights, -_HUGE, _HUGE))
        return found

    def fit(weights: np.ndarray) -> float:
        bent = prior[1:] @ np.square(weights[1:]) / 2.0
        return float(shares @ (columns @ weights) - mean_of(weights).sum() - bent)

    def newton(weights: np.ndarray) -> np.ndarray:
        mean = mean_of(weights)
        slope = columns.T @ (shares - mean)
        slope[1:] -= prior[1:] * weights[1:]
        return np.linalg.solve(_information(columns, mean, prior), slope)

    weights = _climb(np.zeros(columns.shape[1]), fit, newton)
    mean = mean_of(weights)
    information = _information(columns, mean, prior)
    scored = columns * (shares - mean)[:, None]
    weights[0] += np.log(unit)
    inverse = np.linalg.inv(information)
    covariance = inverse @ (scored.T @ scored) @ inverse
    return Curve(basis=basis, weights=weights, covariance=covariance, share=False, low=low, high=high)


def _information(columns: np.ndarray, variance: np.ndarray, prior: np.ndarray) -> np.ndarray:
    found: np.ndarray = (columns * variance[:, None]).T @ columns
    return found + np.diag(prior)


def _beside(columns: np.ndarray, sides: np.ndarray | None) -> np.ndarray:
    return columns if sides is None else np.hstack([columns, sides])


def _prior(columns: np.ndarray, sides: np.ndarray | None) -> np.ndarray:
    found = np.full(columns.shape[1], _PRIOR)
    if sides is not None:
        found[columns.shape[1] - sides.shape[1] :] = _SIDE_PRIOR
    return found
