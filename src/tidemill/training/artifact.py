"""The files of a model version: what each holds, and how they are written so that equal models are equal bytes.

manifest.json
    ``format``, ``model_type``, ``task`` (regression, classification), ``encoding`` (linear, tree),
    ``label`` {column, type (Arrow, as text), classes (ascending; empty for regression)},
    ``inputs`` [{name, type}] (raw columns a prediction needs), ``sql``, ``transform`` [{name, sql}]
    (features), ``transform_columns`` (all columns of TRANSFORM by name, with the label, in its order),
    ``options`` (all, lower-case names), ``given`` (names the user gave), ``seed``, ``threads``,
    ``split`` {method, column}, ``rows_train``, ``rows_eval``, ``evaluated_on`` (evaluation, training),
    ``metrics`` {name: number}, ``onnx`` {inputs: raw | features, reason, feed: what the graph is fed, each with name,
    column, kind, field, size}, ``libraries`` {name: version}.
features.json
    `features.plan.plan_to_dict`.
info.json
    ``fitted`` (`Fitted.info`), ``feature_info`` (rows of ML.FEATURE_INFO), ``iterations`` (rows of ML.TRAINING_INFO
    of all runs, without durations: training_run, iteration, loss, eval_loss, learning_rate), ``global_explain``
    (null, or {features: names, overall: mean absolute attribution of each, classes: null or a list of such lists in
    the order of the classes}).
evaluation.npz
    ``y`` and ``scores`` of the evaluated rows (the first 1,000,000), as `evaluation.judge` takes them.
model.onnx
    Raw columns (or TRANSFORM's outputs, where the manifest says ``features``) to predictions.
scores.onnx
    Trees: encoded float32 matrix ``x`` (n, width) to ``scores``.
booster.json, weights.npz
    The native model.
golden.json
    ``rows`` (at most 20, as `golden.golden_rows` makes them from the raw columns of training rows) and their
    ``scores``. Versions of before it had them do without.
baseline.json
    What the version's answers are compared with: ``inputs`` {name: distribution over the training rows of a raw
    column}, ``label``, ``prediction`` (over the evaluated rows) and ``probabilities`` {class: distribution}, as
    `core.distribution.Distribution.as_json` writes them. Versions of before it had them do without.

Nothing here holds a time, a duration or a run's id: those are rows of the control database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidemill.core.libraries import installed

FORMAT = 1
MANIFEST, FEATURES, INFO = "manifest.json", "features.json", "info.json"
EVALUATION, MODEL_ONNX, SCORES_ONNX = "evaluation.npz", "model.onnx", "scores.onnx"
GOLDEN = "golden.json"
BASELINE = "baseline.json"

# Those that can change what a model answers.
_LIBRARIES = ("numpy", "onnx", "onnxruntime", "pyarrow", "tidemill", "xgboost-cpu")


def json_file(value: Any) -> bytes:
    """JSON for people and machines: sorted keys, indented, one form for equal values."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def read_json_file(files: Mapping[str, bytes], name: str) -> Any:
    """The data in one of the JSON files."""
    return json.loads(files[name])


def library_versions() -> dict[str, str]:
    """Versions of the libraries behind a model; one that is not installed is left out."""
    return {name: found for name in _LIBRARIES if (found := installed(name))}
