"""Linear regression on standardised numbers and one-hot categories.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import OptionError
from tidemill.model_types._arrays import read_arrays, write_arrays
from tidemill.model_types._descent import descend
from tidemill.model_types._graph import linear_nodes
from tidemill.model_types.base import FitData, FitRequest, Iteration

FILE = "weights.npz"
# A block of rows has at most so many rows and cells, and at least so many rows a column: folding it then costs little.
_ROWS = 65_536
_CELLS = 16_777_216
_LEAST_PER_COLUMN = 4
# AUTO_STRATEGY and NORMAL_EQUATION, by the page above.
_MOST_COLUMNS = 10_000
_ROWS_PER_COLUMN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Weights of the encoded columns, shape (width,), and the intercept.

    ``covariance`` (CALCULATE_P_VALUES) is that of the estimated weights and, last, the intercept.
    """

    weights: np.ndarray
    intercept: float
    strategy: str
    covariance: np.ndarray | None = None
    p_values: np.ndarray | None = None

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Predictions, shape (n,)."""
        predicted: np.ndarray = x @ self.weights + self.intercept
        return predicted

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """What each encoded column adds to the prediction and, last, the intercept; shape (n, width + 1)."""
        return np.column_stack([x * self.weights, np.full(len(x), self.intercept)])

    def files(self) -> dict[str, bytes]:
        """The arrays, without objects."""
        arrays = {"weights": self.weights, "intercept": np.array(self.intercept)}
        if self.covariance is not None and self.p_values is not None:
            arrays |= {"covariance": self.covariance, "p_values": self.p_values}
        return {FILE: write_arrays(arrays)}

    def onnx_nodes(self, builder: Any, x: str) -> tuple[str, str]:
        """Append the weighted sum; ``x`` is the encoded matrix. Returns the prediction twice."""
        predicted = linear_nodes(builder, x, self.weights, np.array(self.intercept))
        return predicted, predicted

    def info(self) -> dict[str, Any]:
        """Standardised weights by encoded column; standard errors and p-values where they were asked for."""
        return {
            "kind": "linear",
            "strategy": self.strategy,
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
            **inference_info(self.covariance, self.p_values),
        }


def inference_info(covariance: np.ndarray | None, p_values: np.ndarray | None) -> dict[str, Any]:
    """Standard errors and p-values as plain data: the weights' and, last, the intercept's; None where undefined."""
    if covariance is None or p_values is None:
        return {}
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    plain = [[None if np.isnan(value) else float(value) for value in column] for column in (errors, p_values)]
    return {"standard_errors": plain[0], "p_values": plain[1]}


def fit_linear(request: FitRequest) -> tuple[Linear, list[Iteration]]:
    """Fit LINEAR_REG by the strategy asked for, or by the one the documentation gives for AUTO_STRATEGY."""
    strategy = _strategy(request)
    if strategy == "NORMAL_EQUATION":
        fitted, iterations = _solve(request)
    else:
        at, iterations = descend(request, SquaredError(), 1)
        fitted = Linear(weights=at.w[:, 0], intercept=float(at.b[0]), strategy=strategy)
    if request.options["calculate_p_values"]:
        fitted = _with_p_values(request, fitted)
    return fitted, iterations


def load_linear(files: Mapping[str, bytes], info: Mapping[str, Any]) -> Linear:
    """Read a linear model back from the files of `Linear.files`."""
    arrays = read_arrays(files[FILE])
    return Linear(
        weights=arrays["weights"],
        intercept=float(arrays["intercept"]),
        strategy=str(info["strategy"]),
        covariance=arrays.get("covariance"),
        p_values=arrays.get("p_values"),
    )


class SquaredError:
    """Squared error; its mean is the loss that ML.TRAINING_INFO shows."""

    def mean(self, margin: np.ndarray, y: np.ndarray, share: np.ndarray | None) -> float:
        """Mean squared error."""
        squares = (margin[:, 0] - y) ** 2
        return float(squares.mean() if share is None else squares @ share)

    def slope(self, margin: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Twice the residual."""
        slope: np.ndarray = 2.0 * (margin - y[:, None])
        return slope


def _strategy(request: FitRequest) -> str:
    asked, data = request.options["optimize_strategy"], request.data
    columns = data.cardinality or data.x.shape[1]
    if asked == "NORMAL_EQUATION" and columns > _MOST_COLUMNS:
        raise OptionError(
            f"NORMAL_EQUATION takes at most {_MOST_COLUMNS:,} encoded features; these rows have {columns:,}",
            hint="leave OPTIMIZE_STRATEGY out, or drop columns with many distinct values",
            features=columns,
        )
    if asked != "AUTO_STRATEGY":
        return str(asked)
    descends = (
        request.options["l1_reg"] > 0
        or request.options["warm_start"]
        or columns > _MOST_COLUMNS
        or len(data.x) < _ROWS_PER_COLUMN * columns
    )
    return "BATCH_GRADIENT_DESCENT" if descends else "NORMAL_EQUATION"


def _solve(request: FitRequest) -> tuple[Linear, list[Iteration]]:
    """Least squares of least norm.

    Columns are centred, so that the intercept is neither penalised nor part of the norm. The rows are folded into a
    triangle block by block (Householder), which keeps the accuracy that squaring the matrix would lose.

    References
    ----------
    Golub and Van Loan, Matrix computations, 4th edition, sections 5.2 and 5.5.
    """
    began = time.perf_counter()
    data, options = request.data, request.options
    width = data.x.shape[1]
    means, mean = _means(data, intercept=bool(options["fit_intercept"]))
    triangle = _folded(data, means, mean, request.threads)
    u, sizes, vt = np.linalg.svd(triangle[:, :width], full_matrices=False)
    total = float(len(data.x) if data.weight is None else data.weight.sum())
    penalty = float(options["l2_reg"]) * total
    known = sizes > sizes.max(initial=0.0) * max(len(data.x), width) * np.finfo(float).eps
    scale = np.divide(sizes, sizes**2 + penalty, out=np.zeros_like(sizes), where=known)
    weights = vt.T @ (scale * (u.T @ triangle[:, width]))
    fitted = Linear(weights=weights, intercept=float(mean - means @ weights), strategy="NORMAL_EQUATION")
    row = Iteration(
        iteration=0,
        loss=_mean_square(fitted, data.x, data.y, data.weight),
        eval_loss=_mean_square(fitted, data.x_eval, data.y_eval, data.weight_eval) if len(data.x_eval) else None,
        learning_rate=None,
        duration_ms=round((time.perf_counter() - began) * 1000),
    )
    request.progress(row)
    return fitted, [row]


def _folded(data: FitData, means: np.ndarray, mean: float, threads: int) -> np.ndarray:
    """The triangle of the centred rows and labels. Blocks and the order of folding depend on the rows alone."""

    def triangle_of(block: tuple[np.ndarray, np.ndarray, np.ndarray | None]) -> np.ndarray:
        x, y, weight = block
        rows = np.column_stack([x - means, y - mean])
        if weight is not None:
            rows *= np.sqrt(weight)[:, None]
        return np.asarray(np.linalg.qr(rows, mode="r"))

    def fold(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.qr(np.vstack([one, other]), mode="r"))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return reduce(fold, pool.map(triangle_of, _blocks(data)))


def _blocks(data: FitData) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    width = max(1, data.x.shape[1])
    step = max(min(_ROWS, _CELLS // width), _LEAST_PER_COLUMN * width)
    for start in range(0, len(data.x), step):
        part = slice(start, start + step)
        yield data.x[part], data.y[part], None if data.weight is None else data.weight[part]


def _means(data: FitData, *, intercept: bool) -> tuple[np.ndarray, float]:
    if not intercept:
        return np.zeros(data.x.shape[1]), 0.0
    return np.average(data.x, axis=0, weights=data.weight), float(np.average(data.y, weights=data.weight))


def _mean_square(fitted: Linear, x: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.average((fitted.scores(x) - y) ** 2, weights=weight))


def _with_p_values(request: FitRequest, fitted: Linear) -> Linear:
    """Classical standard errors: residual variance times the inverse of X'X, and Student's t."""
    from scipy import special

    data = request.data
    intercept = bool(request.options["fit_intercept"])
    gram = np.zeros((data.x.shape[1] + 1,) * 2)
    squares = 0.0
    for x, y, weight in _blocks(data):
        design = np.column_stack([x, np.full(len(x), float(intercept))])
        residual = fitted.scores(x) - y
        share = np.ones(len(x)) if weight is None else weight
        gram += (design * share[:, None]).T @ design
        squares += float((residual**2) @ share)
    inverse, rank = pseudo_inverse(gram)
    freedom = max(len(data.x) - rank, 1)
    covariance = inverse * (squares / freedom)
    estimates = np.append(fitted.weights, fitted.intercept)
    t = t_values(estimates, covariance)
    p_values = 2.0 * special.stdtr(freedom, -np.abs(t))
    return Linear(
        weights=fitted.weights,
        intercept=fitted.intercept,
        strategy=fitted.strategy,
        covariance=covariance,
        p_values=p_values,
    )


def pseudo_inverse(gram: np.ndarray) -> tuple[np.ndarray, int]:
    """Moore-Penrose inverse of a symmetric matrix, and its rank."""
    values, vectors = np.linalg.eigh(gram)
    known = values > values.max(initial=0.0) * len(gram) * np.finfo(float).eps * 16
    return (vectors[:, known] / values[known]) @ vectors[:, known].T, int(known.sum())


def t_values(estimates: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Estimates in units of their standard errors; NaN where an error is zero (a dropped category)."""
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    found: np.ndarray = np.divide(estimates, errors, out=np.full(len(errors), np.nan), where=errors > 0)
    return found
