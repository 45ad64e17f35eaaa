"""The files of a trained version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np  # noqa: TID253

from tidemill.core.names import quote_name
from tidemill.features.plan import encoded_columns, plan_to_dict
from tidemill.model_types._arrays import write_arrays
from tidemill.model_types._over_time import OVER_TIME
from tidemill.model_types.base import Fitted, Iteration
from tidemill.training.agreement import check_agreement
from tidemill.training.artifact import (
    BASELINE,
    EVALUATION,
    FEATURES,
    FORMAT,
    GOLDEN,
    INFO,
    MANIFEST,
    MODEL_ONNX,
    SCORES_ONNX,
    json_file,
    library_versions,
)
from tidemill.training.baseline import baseline, held_out_seconds
from tidemill.training.explain import explain_globally
from tidemill.training.golden import golden_rows
from tidemill.training.graphs import Graph, model_graph, scores_graph
from tidemill.training.load import SAMPLE_ROWS
from tidemill.training.task import TrainTask

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.training.prepare import Made

# Rows whose scores are kept for the curves of ML.ROC_CURVE and the like; metrics are always of all rows.
_MOST_KEPT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The rows a version was judged on, their scores, and the metrics."""

    on: Literal["evaluation", "training"]
    x: np.ndarray
    y: np.ndarray
    scores: np.ndarray
    metrics: dict[str, float]


def make_info(made: Made, fitted: Fitted, iterations: Sequence[Iteration], evaluated: Evaluated) -> dict[str, Any]:
    """What functions tell of a version: features, iterations, attributions."""
    explained = None
    if made.task.options.get("enable_global_explain"):
        groups = [column.feature for column in encoded_columns(made.plan)]
        names = [feature.name for feature in made.plan.features]
        explained = explain_globally(fitted, evaluated.x, groups, names)
    run = made.earlier.training_run + 1 if made.earlier else 0
    return {
        "fitted": fitted.info(),
        "feature_info": list(made.feature_info),
        "iterations": [
            *(made.earlier.iterations if made.earlier else ()),
            *(
                {
                    "training_run": run,
                    "iteration": row.iteration,
                    "loss": row.loss,
                    "eval_loss": row.eval_loss,
                    "learning_rate": row.learning_rate,
                }
                for row in iterations
            ),
        ],
        "global_explain": explained,
    }


def make_files(made: Made, fitted: Fitted, evaluated: Evaluated, info: dict[str, Any]) -> dict[str, bytes]:
    """Every file of a version by its name; ways to score that differ are refused here."""
    classes = len(made.label.labels.classes)
    graph = model_graph(made.plan, fitted, made.label.labels)
    scores = None
    if made.plan.style == "tree":
        scores = scores_graph(fitted, width=made.plan.width, classes=classes)
    sample = made.loaded.x[made.loaded.sample_at]
    raw = _raw_sample(made)
    check_agreement(
        made.plan,
        fitted,
        made.label.labels,
        graph=graph,
        scores=scores,
        x=sample,
        columns=made.loaded.sample,
        raw=made.loaded.sample if graph.reason else raw,
    )
    arrays = {"y": evaluated.y[:_MOST_KEPT], "scores": evaluated.scores[:_MOST_KEPT]}
    files = {
        MANIFEST: json_file(_manifest(made, evaluated, graph)),
        FEATURES: json_file(plan_to_dict(made.plan)),
        INFO: json_file(info),
        EVALUATION: write_arrays(arrays),
        MODEL_ONNX: graph.data,
        GOLDEN: json_file(golden_rows(raw, fitted.scores(sample))),
        BASELINE: json_file(_baseline(made, evaluated)),
        **fitted.files(),
    }
    return files if scores is None else files | {SCORES_ONNX: scores}


def _baseline(made: Made, evaluated: Evaluated) -> dict[str, Any]:
    return baseline(
        [column.name for column in made.plan.inputs],
        made.spread,
        made.learned,
        made.label.labels,
        y=made.loaded.y[: made.split.rows_train],
        scores=evaluated.scores,
        rows_train=made.split.rows_train,
        held_out_seconds=held_out_seconds(made.rows, made.split),
    )


def _raw_sample(made: Made) -> pa.RecordBatch:
    """The sample's rows with the columns of the query that a prediction needs."""
    import pyarrow as pa

    if not made.frozen:
        return made.loaded.sample
    parts: list[pa.RecordBatch] = []
    for batch in made.rows.query(", ".join(quote_name(column.name) for column in made.plan.inputs)):
        parts.append(batch)
        if sum(part.num_rows for part in parts) >= SAMPLE_ROWS:
            break
    return pa.concat_batches(parts).slice(0, made.loaded.sample.num_rows)


def _manifest(made: Made, evaluated: Evaluated, graph: Graph) -> dict[str, Any]:
    task, labels = made.task, made.label.labels
    return {
        "format": FORMAT,
        "model_type": task.model_type.name,
        "model_type_version": task.model_type.version,
        "task": task.model_type.task,
        "encoding": task.model_type.encoding,
        "label": {"column": labels.column, "type": made.label.type, "classes": list(labels.classes)},
        "inputs": [{"name": column.name, "type": column.type} for column in made.plan.inputs],
        "sql": task.sql,
        "transform": [{"name": column.name, "sql": column.sql} for column in made.frozen],
        "transform_columns": list(made.listed),
        "options": _plain(_said(task)),
        "given": sorted(task.given),
        "seed": task.seed,
        "threads": task.threads,
        "split": {
            "method": str(task.options.get("data_split_method", "NO_SPLIT")),
            "column": made.rows.split,
        },
        "rows_train": made.split.rows_train,
        "rows_eval": made.split.rows_eval,
        "evaluated_on": evaluated.on,
        "metrics": evaluated.metrics,
        "onnx": {
            "inputs": "features" if graph.reason else "raw",
            "reason": graph.reason,
            "feed": [asdict(given) for given in graph.inputs],
        },
        "libraries": library_versions(),
        **({"window": made.rows.window.facts} if made.rows.window is not None else {}),
    }


def _said(task: TrainTask) -> dict[str, Any]:
    """Options but for those about time that nobody gave: versions from before there were any keep their bytes."""
    about_time = {option.name.lower() for option in OVER_TIME}
    return {name: value for name, value in task.options.items() if name in task.given or name not in about_time}


def _plain(value: Any) -> Any:
    """Option values as JSON can hold them."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if hasattr(value, "items"):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
