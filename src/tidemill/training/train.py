"""From a query to a trained model: split, encode, weigh, fit, judge, and make the files of a version."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np  # noqa: TID253

from tidemill.features.plan import cardinality, encoded_columns
from tidemill.model_types.base import FitData, FitRequest, Fitted, Iteration
from tidemill.training.files import Evaluated, make_files, make_info
from tidemill.training.labels import learn_label
from tidemill.training.one_blas_thread import one_blas_thread
from tidemill.training.prepare import Made, prepare
from tidemill.training.result import TrainedModel, artifact_digest
from tidemill.training.source import open_rows
from tidemill.training.split import split_rows
from tidemill.training.task import Judge, TrainTask
from tidemill.training.warm import earlier_version, start_from

_SCORE_ROWS = 262_144


@one_blas_thread()
def train(task: TrainTask, *, judge: Judge) -> TrainedModel:
    """Train one model version; nothing is registered.

    The rows are read in a fixed order, so that the same rows, SQL, options, seed and threads give the same bytes.

    Parameters
    ----------
    judge
        Makes the metrics from labels and scores (`evaluation.judge.judge`).

    Raises
    ------
    StatementError
        The query or an option names something that is not there.
    DataError
        The rows cannot train this model.
    InternalError
        Two ways to score the model differ.
    """
    began = time.perf_counter()
    _import_ahead(task.model_type.imports)
    task.progress("looking at the label", 0, 0)
    rows = open_rows(task)
    label = learn_label(rows)
    earlier = earlier_version(task, label)
    rows, split = split_rows(rows, label.rows)
    task.progress("learning categories", 0, 0)
    made = prepare(rows, label, split)
    made.earlier = earlier
    if task.options.get("warm_start") and earlier is None:
        made.warnings.append("WARM_START: there is no earlier version; training began at zero weights")
    fitted, iterations = task.model_type.fit(_request(made)) if task.model_type.fit else _no_fit(task)
    task.progress("judging", 0, 0)
    evaluated = _evaluate(made, fitted, judge)
    info = make_info(made, fitted, iterations, evaluated)
    files = make_files(made, fitted, evaluated, info)
    return TrainedModel(
        files=files,
        digest=artifact_digest(files),
        metrics=evaluated.metrics,
        evaluated_on=evaluated.on,
        iterations=tuple(iterations),
        rows_train=split.rows_train,
        rows_eval=split.rows_eval,
        seconds=time.perf_counter() - began,
        warnings=tuple(made.warnings),
        model_type=task.model_type.name,
        options=dict(task.options),
        feature_info=made.feature_info,
    )


def _import_ahead(modules: Sequence[str]) -> None:
    """Import modules beside the reading of rows. The fit imports them too, and waits for them there."""

    def work() -> None:
        for module in modules:
            with contextlib.suppress(ImportError):  # the fit tells it
                importlib.import_module(module)

    if any(module not in sys.modules for module in modules):
        threading.Thread(target=work, name="imports").start()


def _no_fit(task: TrainTask) -> tuple[Fitted, list[Iteration]]:
    raise TypeError(f"{task.model_type.name} has no fit")


def _request(made: Made) -> FitRequest:
    task, cut = made.task, made.split.rows_train
    columns = encoded_columns(made.plan)
    data = FitData(
        x=made.loaded.x[:cut],
        y=made.loaded.y[:cut],
        x_eval=made.loaded.x[cut:],
        y_eval=made.loaded.y[cut:],
        labels=made.label.labels,
        names=[column.name for column in columns],
        groups=[column.feature for column in columns],
        weight=None if made.weight is None else made.weight[:cut],
        weight_eval=None if made.weight is None else made.weight[cut:],
        cardinality=cardinality(made.plan),
    )
    most = int(task.options.get("max_iterations") or 1)

    def report(row: Iteration) -> None:
        loss = "" if row.loss is None else f", loss {row.loss:.6g}"
        task.progress(f"iteration {row.iteration + 1} of at most {most}{loss}", row.iteration + 1, most)

    start = start_from(made.earlier, made.plan, task=task) if made.earlier else None
    return FitRequest(
        data=data, options=task.options, seed=task.seed, threads=task.threads, start=start, progress=report
    )


def _evaluate(made: Made, fitted: Fitted, judge: Judge) -> Evaluated:
    """Judge on the evaluation rows, or on the training rows where there are none."""
    cut = made.split.rows_train if made.split.rows_eval else 0
    x, y = made.loaded.x[cut:], made.loaded.y[cut:]
    parts = [fitted.scores(x[start : start + _SCORE_ROWS]) for start in range(0, len(x), _SCORE_ROWS)]
    scores = parts[0] if len(parts) == 1 else np.concatenate(parts)
    metrics = {name: float(value) for name, value in judge(made.label.labels, y, scores).items()}
    return Evaluated(on="evaluation" if cut else "training", x=x, y=y, scores=scores, metrics=metrics)
