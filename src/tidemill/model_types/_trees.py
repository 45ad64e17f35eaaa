"""Boosted trees and random forests: XGBoost, as in BigQuery ML itself.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-boosted-tree
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-random-forest
https://xgboost.readthedocs.io/en/stable/parameter.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import CorruptError, OptionError
from tidemill.model_types._graph import likeliest
from tidemill.model_types._stopping import Stopping
from tidemill.model_types._tree_arrays import TreeArrays, ensemble_attributes, tree_arrays
from tidemill.model_types.base import FitRequest, Iteration

# JSON: a changed byte of XGBoost's binary format can end the process that reads it.
FILE = "booster.json"

# Option (lower-case) -> XGBoost parameter, where the value passes as it is.
_SAME = {
    "colsample_bylevel": "colsample_bylevel",
    "colsample_bynode": "colsample_bynode",
    "colsample_bytree": "colsample_bytree",
    "l1_reg": "reg_alpha",
    "l2_reg": "reg_lambda",
    "learn_rate": "eta",
    "max_tree_depth": "max_depth",
    "min_split_loss": "gamma",
    "min_tree_child_weight": "min_child_weight",
    "num_parallel_tree": "num_parallel_tree",
    "subsample": "subsample",
}


@dataclass(slots=True, kw_only=True)
class Trees:
    """A trained ensemble. The booster is read (and XGBoost imported) when it is first needed."""

    raw: bytes
    width: int
    classes: int
    importance: dict[str, list[float]]
    threads: int = 0
    _booster: Any = field(default=None, repr=False)
    _arrays: TreeArrays | None = field(default=None, repr=False)

    def booster(self) -> Any:
        """The XGBoost model."""
        if self._booster is None:
            import xgboost

            if not self.raw:  # which would end the process
                raise CorruptError(f"{FILE} is empty")
            try:
                self._booster = xgboost.Booster(model_file=bytearray(self.raw))
            # The message quotes the file, which need not be text.
            except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:
                raise CorruptError(f"{FILE} is not a model XGBoost can read", reason=str(error)[:500]) from error
            self._booster.set_param({"nthread": self.threads})
        return self._booster

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Predictions, shape (n,); or probabilities of the classes, shape (n, classes)."""
        if len(x) == 0:
            return np.zeros((0, self.classes) if self.classes else 0)
        return class_scores(self.booster().inplace_predict(x), self.classes)

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """Tree SHAP values of each encoded column and, last, the base margin.

        Shape (n, width + 1); with three classes or more (n, classes, width + 1). Binary: in log-odds.

        References
        ----------
        Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020,
        doi:10.1038/s42256-019-0138-9
        """
        import xgboost

        matrix = xgboost.DMatrix(x, nthread=self.threads or None)
        found = self.booster().predict(matrix, pred_contribs=True)
        return np.asarray(found, dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """The booster in XGBoost's own JSON."""
        return {FILE: self.raw}

    def onnx_nodes(self, builder: Any, x: str) -> tuple[str, str]:
        """Append the ensemble; ``x`` is the encoded float32 matrix. Returns (prediction or class index, scores)."""
        self._arrays = self._arrays or tree_arrays(self.raw)
        attributes = ensemble_attributes(self._arrays)
        margin = builder.node("TreeEnsembleRegressor", x, domain="ai.onnx.ml", **attributes)
        if not self.classes:
            value = builder.node("Reshape", margin, builder.constant(np.array([-1], dtype=np.int64)))
            return value, value
        if self.classes == 2:
            positive = builder.node("Sigmoid", margin)
            negative = builder.node("Sub", builder.constant(np.array(1, dtype=np.float32)), positive)
            probabilities = builder.join([negative, positive])
        else:
            probabilities = builder.node("Softmax", margin, axis=1)
        return likeliest(builder, probabilities), probabilities

    def info(self) -> dict[str, Any]:
        """Importance of each encoded column: how often it splits, its mean gain, its mean cover."""
        return {"kind": "trees", "width": self.width, "classes": self.classes, "importance": self.importance}


def class_scores(predicted: np.ndarray, classes: int) -> np.ndarray:
    """XGBoost's float32 answer as float64 scores: a column per class where it has only that of the positive one."""
    scores = predicted.astype(np.float64)
    if classes == 2:
        return np.column_stack([1.0 - scores, scores])
    return scores


def fit_trees(request: FitRequest, *, kind: str) -> tuple[Trees, list[Iteration]]:
    """Fit BOOSTED_TREE_* or RANDOM_FOREST_*.

    A forest is one round of parallel trees with a learning rate of 1. Training stops after the first round whose
    relative gain in loss (of the evaluation rows where there are some) is below MIN_REL_PROGRESS.

    Raises
    ------
    OptionError
        TREE_METHOD = 'EXACT' with COLSAMPLE_BYNODE below 1, which XGBoost cannot do.
    """
    import xgboost

    forest = kind.startswith("RANDOM_FOREST")
    data, options = request.data, request.options
    parameters = _parameters(request, forest=forest)
    _check_exact(parameters)
    sketch = parameters["tree_method"] == "hist"
    train = _matrix(data.x, data.y, data.weight, request.threads, sketch=sketch, ref=None)
    watched = [(train, "train")]
    if len(data.x_eval):
        ref = train if sketch else None
        watched.append(
            (_matrix(data.x_eval, data.y_eval, data.weight_eval, request.threads, sketch=sketch, ref=ref), "eval")
        )
    watcher, iterations = _watcher(request, rate=parameters["eta"])
    booster = xgboost.train(
        parameters,
        train,
        num_boost_round=1 if forest else int(options["max_iterations"]),
        evals=watched,
        verbose_eval=False,
        callbacks=[watcher],
    )
    fitted = Trees(
        raw=bytes(booster.save_raw("json")),
        width=data.x.shape[1],
        classes=len(data.labels.classes),
        importance=_importance(booster, data.x.shape[1]),
        threads=request.threads,
    )
    return fitted, iterations


def load_trees(files: Mapping[str, bytes], info: Mapping[str, Any]) -> Trees:
    """Read trees back from the files of `Trees.files` and the data of `Trees.info`."""
    return Trees(
        raw=files[FILE], width=int(info["width"]), classes=int(info["classes"]), importance=dict(info["importance"])
    )


def _parameters(request: FitRequest, *, forest: bool) -> dict[str, Any]:
    options, labels = request.options, request.data.labels
    parameters: dict[str, Any] = {name: options[option] for option, name in _SAME.items() if option in options}
    method = str(options["tree_method"]).lower()
    parameters |= {
        "tree_method": "hist" if method == "auto" else method,
        "seed": request.seed,
        "nthread": request.threads,
        "verbosity": 0,
    }
    if options["base_score"] != "MEAN":  # which is what XGBoost begins at when it is told nothing
        parameters["base_score"] = options["base_score"]
    if forest:
        parameters["eta"] = 1.0
    elif options["booster_type"] == "DART":
        normalize = str(options["dart_normalize_type"]).lower()
        parameters |= {"booster": "dart", "rate_drop": options["dropout"], "normalize_type": normalize}
    return parameters | _objective(labels.classes)


def _check_exact(parameters: Mapping[str, Any]) -> None:
    if parameters["tree_method"] == "exact" and parameters["colsample_bynode"] < 1:
        raise OptionError(
            "TREE_METHOD = 'EXACT' cannot sample columns per split (COLSAMPLE_BYNODE below 1)",
            hint="leave TREE_METHOD out, or give COLSAMPLE_BYNODE = 1 and COLSAMPLE_BYTREE = 0.8",
        )


def _objective(classes: tuple[Any, ...]) -> dict[str, Any]:
    if not classes:
        return {"objective": "reg:squarederror", "eval_metric": "rmse"}
    if len(classes) == 2:
        return {"objective": "binary:logistic", "eval_metric": "logloss"}
    return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": len(classes)}


def _matrix(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None, threads: int, *, sketch: bool, ref: Any) -> Any:
    """With hist, columns are cut into bins while they are read, which spares a copy of the matrix."""
    import xgboost

    if sketch:
        return xgboost.QuantileDMatrix(x, label=y, weight=weight, nthread=threads, ref=ref)
    return xgboost.DMatrix(x, label=y, weight=weight, nthread=threads)


def _watcher(request: FitRequest, *, rate: float) -> tuple[Any, list[Iteration]]:
    """A callback that records each round, reports it, and says when to stop; and the list it fills."""
    import xgboost

    stopping = Stopping.of(request.options)
    iterations: list[Iteration] = []

    class Watcher(xgboost.callback.TrainingCallback):
        def __init__(self) -> None:
            super().__init__()
            self.began = time.perf_counter()

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            now = time.perf_counter()
            losses = {name: next(iter(metrics.values()))[-1] for name, metrics in evals_log.items()}
            row = Iteration(
                iteration=epoch,
                loss=float(losses["train"]),
                eval_loss=float(losses["eval"]) if "eval" in losses else None,
                learning_rate=float(rate),
                duration_ms=round((now - self.began) * 1000),
            )
            self.began = now
            iterations.append(row)
            request.progress(row)
            return stopping.says_stop(iterations)

    return Watcher(), iterations


def _importance(booster: Any, width: int) -> dict[str, list[float]]:
    columns = {}
    for kind in ("weight", "gain", "cover"):
        found = booster.get_score(importance_type=kind)
        columns[kind] = [float(found.get(f"f{ordinal}", 0.0)) for ordinal in range(width)]
    return columns
