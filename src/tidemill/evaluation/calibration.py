"""Whether probabilities say what comes true: the reliability table and the expected calibration error.

References
----------
.. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
   2015, doi 10.1609/aaai.v29i1.9602 (the expected calibration error).
.. [2] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017,
   https://arxiv.org/abs/1706.04599 (of three classes or more: of the class that is called).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np  # noqa: TID253

from tidemill.core.chance import wilson
from tidemill.evaluation.confusion import called_classes

BINS = 10
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Rows of similar probability: what was said on average, and how often it came true, with its interval."""

    rows: int
    said: float
    came: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far probabilities are from what came true.

    Parameters
    ----------
    error
        The mean over rows of the distance in their bin, in [0, 1].
    low, high
        Where the error of all rows like these lies, in the same bins.
    bins
        From the lowest probability to the highest, each with as many rows as ties allow.
    """

    error: float
    low: float
    high: float
    bins: tuple[ReliabilityBin, ...]


def calibration_of(y: np.ndarray, scores: np.ndarray, *, bins: int = BINS) -> Calibration | None:
    """The calibration of a classifier; None without rows.

    Parameters
    ----------
    y
        Class ordinals.
    scores
        Probabilities, shape (n, classes). Of two classes the second's count, of more that of the called class.

    Notes
    -----
    Chance alone makes an error. By the triangle inequality the error found is within the mean size of chance's part of
    the true one; the interval takes the 95 % quantile of that size.
    """
    if not len(y):
        return None
    said, came = said_and_came(y, scores)
    place = _bins(said, bins)
    count = np.bincount(place).astype(np.float64)
    mean_said = np.bincount(place, weights=said) / count
    mean_came = np.bincount(place, weights=came) / count
    share = count / count.sum()
    error = float(share @ np.abs(mean_said - mean_came))
    # A bin where everything came true is not certain: half a row of each kind keeps its variance above zero.
    kept = (mean_came * count + 0.5) / (count + 1.0)
    deviation = share * np.sqrt(kept * (1.0 - kept) / count)
    mean, variance = math.sqrt(2 / math.pi) * deviation.sum(), (1 - 2 / math.pi) * np.square(deviation).sum()
    reach = float(mean + NormalDist().inv_cdf(_CONFIDENCE) * math.sqrt(variance))
    limits = [wilson(float(one), float(n), confidence=_CONFIDENCE) for one, n in zip(mean_came, count, strict=True)]
    return Calibration(
        error=error,
        low=max(0.0, error - reach),
        high=min(1.0, error + reach),
        bins=tuple(
            ReliabilityBin(rows=int(n), said=float(one), came=float(two), low=low, high=high)
            for n, one, two, (low, high) in zip(count, mean_said, mean_came, limits, strict=True)
        ),
    )


def said_and_came(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A probability for each row, and whether what it is of came true."""
    if scores.shape[1] == 2:
        return scores[:, 1].astype(np.float64), (y == 1).astype(np.float64)
    called = called_classes(scores)
    return np.take_along_axis(scores, called[:, None], axis=1)[:, 0].astype(np.float64), (y == called).astype(
        np.float64
    )


def _bins(said: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each row, from 0 on without gaps: edges at quantiles, equal values together."""
    edges = np.unique(np.quantile(said, np.arange(1, bins) / bins))
    _, place = np.unique(np.searchsorted(edges, said, side="left"), return_inverse=True)
    found: np.ndarray = place
    return found
