"""From a query to a trained model: split, encode, weigh, fit, judge, and make the files of a version."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np  # noqa: TID253

from tidemill.core.names import quote_name
from tidemill.features.learn import Learned, draft_plan, finish, learn_categories, settle
from tidemill.features.plan import FeaturePlan, FrozenColumn, InputColumn, cardinality, encoded_columns, plan_to_dict
from tidemill.model_types._arrays import write_arrays
from tidemill.model_types._shared import OVER_TIME
from tidemill.model_types.base import FitData, FitRequest, Fitted, Iteration
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
from tidemill.training.baseline import Spread, baseline, spread_of
from tidemill.training.describe import describe_features, describe_inputs
from tidemill.training.explain import explain_globally
from tidemill.training.golden import golden_rows
from tidemill.training.graphs import Graph, model_graph, scores_graph
from tidemill.training.labels import LabelFacts, learn_label
from tidemill.training.load import SAMPLE_ROWS, Loaded, load_rows
from tidemill.training.result import TrainedModel, artifact_digest
from tidemill.training.source import TrainingRows, open_rows
from tidemill.training.split import Split, split_rows
from tidemill.training.task import Judge, TrainTask
from tidemill.training.transform import freeze
from tidemill.training.warm import Earlier, earlier_version, start_from
from tidemill.training.weights import check_weights, class_weights

if TYPE_CHECKING:
    import pyarrow as pa

# Rows whose scores are kept for the curves of ML.ROC_CURVE and the like; metrics are always of all rows.
_MOST_KEPT = 1_000_000
_SCORE_ROWS = 262_144


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
    made = _prepare(rows, label, split)
    made.earlier = earlier
    if task.options.get("warm_start") and earlier is None:
        made.warnings.append("WARM_START: there is no earlier version; training began at zero weights")
    fitted, iterations = task.model_type.fit(_request(made)) if task.model_type.fit else _no_fit(task)
    task.progress("judging", 0, 0)
    evaluated = _evaluate(made, fitted, judge)
    info = _info(made, fitted, iterations, evaluated)
    files = _files(made, fitted, evaluated, info)
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


@dataclass(slots=True, kw_only=True)
class _Made:
    """What is known before the fit."""

    task: TrainTask
    rows: TrainingRows
    label: LabelFacts
    split: Split
    plan: FeaturePlan
    loaded: Loaded
    frozen: Sequence[FrozenColumn]
    listed: Sequence[str]
    learned: dict[str, Learned]
    spread: Spread
    feature_info: tuple[dict[str, Any], ...]
    weight: np.ndarray | None
    warnings: list[str]
    earlier: Earlier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluated:
    on: Literal["evaluation", "training"]
    x: np.ndarray
    y: np.ndarray
    scores: np.ndarray
    metrics: dict[str, float]


def _no_fit(task: TrainTask) -> tuple[Fitted, list[Iteration]]:
    raise TypeError(f"{task.model_type.name} has no fit")


def _prepare(rows: TrainingRows, label: LabelFacts, split: Split) -> _Made:
    task = rows.task
    condition = f" WHERE {split.where}" if split.where else ""
    training_sql = f"SELECT * FROM ({rows.sql}) AS tm_rows{condition}"
    frozen = freeze(rows, training_sql)
    schema, sql, names = rows.schema, training_sql, rows.features
    if frozen.columns:
        sql = frozen.select(training_sql)
        schema = task.session.schema(sql)
        names = tuple(schema.names)
    learned = learn_categories(task.session, sql, schema, features=names, where=task.where)
    draft = _draft(rows, label, schema, learned, names=names, frozen=frozen.columns, inputs=frozen.inputs)
    spread = Spread(_spread_names(draft, learned), split.rows_train)
    loaded = load_rows(rows, draft, label, split, computed=frozen.sql_by_name(), spread=spread)
    x = loaded.x[: split.rows_train]
    if frozen.columns:
        info = describe_inputs(rows, training_sql, frozen.inputs or ())
        spread = spread_of(rows, [column.name for column in draft.inputs], split)
        learned = {}
    else:
        info = describe_features(draft, learned, x, threads=task.threads)
    plan = settle(draft, x, y=loaded.y[: split.rows_train])
    finish(plan, loaded.x[split.rows_train :])
    made = _Made(
        task=task,
        rows=rows,
        label=label,
        split=split,
        plan=plan,
        loaded=loaded,
        frozen=frozen.columns,
        listed=frozen.listed,
        learned=learned,
        spread=spread,
        feature_info=info,
        weight=None,
        warnings=_warnings(plan, label, loaded.y[: split.rows_train]),
    )
    made.weight = _weights(made)
    return made


def _spread_names(draft: FeaturePlan, learned: dict[str, Learned]) -> list[str]:
    """The raw columns that are loaded and not counted by value already; with a TRANSFORM none is loaded."""
    if draft.transforms:
        return []
    texts = {feature.column for feature in draft.features if feature.kind == "text" and feature.name in learned}
    return [name for name in dict.fromkeys(feature.column for feature in draft.features) if name not in texts]


def _draft(
    rows: TrainingRows,
    label: LabelFacts,
    schema: pa.Schema,
    learned: dict[str, Learned],
    *,
    names: Sequence[str],
    frozen: Sequence[FrozenColumn],
    inputs: Sequence[InputColumn] | None,
) -> FeaturePlan:
    classes = len(label.labels.classes)
    style = rows.task.model_type.encoding
    return draft_plan(
        schema,
        learned,
        features=names,
        style="linear" if style == "linear" else "tree",
        method=str(rows.task.options.get("category_encoding_method") or ""),
        outputs=classes if classes > 2 else 1,
        inputs=inputs,
        transforms=frozen,
        where=rows.task.where,
    )


def _weights(made: _Made) -> np.ndarray | None:
    """Weights of all rows, training rows first."""
    task, rows_train = made.task, made.split.rows_train
    by_row = made.loaded.weight
    if by_row is not None:
        check_weights(by_row[:rows_train], made.rows.weight, where=task.where)
        check_weights(by_row, made.rows.weight, where=task.where)
    classes = made.label.labels.classes
    by_class = class_weights(task.options, classes, made.loaded.y[:rows_train], where=task.where)
    if by_class is None:
        return by_row
    weights: np.ndarray = by_class[made.loaded.y]
    return weights if by_row is None else by_row * weights


def _warnings(plan: FeaturePlan, label: LabelFacts, y: np.ndarray) -> list[str]:
    found = []
    classes = label.labels.classes
    if classes:
        missing = np.flatnonzero(np.bincount(y, minlength=len(classes)) == 0)
        found += [f"no training row has the label {classes[at]}: all of its rows evaluate" for at in missing]
    found += [
        f"feature {feature.name} is NULL in all training rows"
        for feature in plan.features
        if getattr(feature.encoding, "vocabulary", None) == () and not getattr(feature.encoding, "null", False)
    ]
    return found


def _request(made: _Made) -> FitRequest:
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


def _evaluate(made: _Made, fitted: Fitted, judge: Judge) -> _Evaluated:
    """Judge on the evaluation rows, or on the training rows where there are none."""
    cut = made.split.rows_train if made.split.rows_eval else 0
    x, y = made.loaded.x[cut:], made.loaded.y[cut:]
    parts = [fitted.scores(x[start : start + _SCORE_ROWS]) for start in range(0, len(x), _SCORE_ROWS)]
    scores = parts[0] if len(parts) == 1 else np.concatenate(parts)
    metrics = {name: float(value) for name, value in judge(made.label.labels, y, scores).items()}
    return _Evaluated(on="evaluation" if cut else "training", x=x, y=y, scores=scores, metrics=metrics)


def _info(made: _Made, fitted: Fitted, iterations: Sequence[Iteration], evaluated: _Evaluated) -> dict[str, Any]:
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


def _files(made: _Made, fitted: Fitted, evaluated: _Evaluated, info: dict[str, Any]) -> dict[str, bytes]:
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


def _baseline(made: _Made, evaluated: _Evaluated) -> dict[str, Any]:
    return baseline(
        [column.name for column in made.plan.inputs],
        made.spread,
        made.learned,
        made.label.labels,
        y=made.loaded.y[: made.split.rows_train],
        scores=evaluated.scores,
        rows_train=made.split.rows_train,
    )


def _raw_sample(made: _Made) -> pa.RecordBatch:
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


def _manifest(made: _Made, evaluated: _Evaluated, graph: Graph) -> dict[str, Any]:
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
