"""Every way to score a version gives the same answer, or there is no version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import InternalError
from tidemill.features.onnx_feed import feed
from tidemill.features.plan import FeaturePlan
from tidemill.features.row import RowEncoder
from tidemill.model_types.base import Fitted, Labels
from tidemill.training.graphs import PROBABILITIES, SCORES, Graph

if TYPE_CHECKING:
    import pyarrow as pa

TOLERANCE = 1e-5
# One row at a time is slow Python: so many are enough to see a reader that differs.
_SINGLE_ROWS = 50


def check_agreement(
    plan: FeaturePlan,
    fitted: Fitted,
    labels: Labels,
    *,
    graph: Graph,
    scores: bytes | None,
    x: np.ndarray,
    columns: pa.RecordBatch,
    raw: pa.RecordBatch,
) -> None:
    """Compare the native model, both graphs and the single-row reader on sample rows.

    Parameters
    ----------
    x
        The sample as training encoded it.
    columns, raw
        The same rows: the columns that features are read from, and those that the graph is fed.

    Raises
    ------
    InternalError
        Two answers differ by more than 1e-5 of the largest.
    """
    native = fitted.scores(x)
    if scores is not None:
        answer = _session(scores).run([SCORES], {"x": x})[0]
        _compare(native, answer, "scores.onnx")
    wanted = PROBABILITIES if labels.classes else f"predicted_{labels.column}"
    _compare(native, _session(graph.data).run([wanted], feed(graph.inputs, raw))[0], "model.onnx")
    encoder = RowEncoder(plan)
    rows = columns.slice(0, _SINGLE_ROWS).to_pylist()
    single = np.array([encoder.encode(row) for row in rows], dtype=x.dtype)
    _compare(native[: len(rows)], fitted.scores(single), "the single-row reader")


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _compare(native: np.ndarray, answer: np.ndarray, name: str) -> None:
    if not len(native):
        return
    difference = np.abs(native - answer).max()
    scale = max(1.0, float(np.abs(native).max()))
    if not difference <= TOLERANCE * scale:
        raise InternalError(
            f"{name} answers up to {difference:.3g} away from the trained model; the version is refused",
            hint="please report this with the CREATE MODEL statement",
            difference=float(difference),
            path=name,
        )
