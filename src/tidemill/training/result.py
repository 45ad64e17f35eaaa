"""What training hands back: the files of a model version and the facts the registry keeps beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tidemill.core.digest import digest_bytes, digest_value
from tidemill.model_types.base import Iteration


def artifact_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of a model version: over its sorted (file name, SHA-256 of the file) pairs."""
    return digest_value([[name, digest_bytes(files[name])] for name in sorted(files)])


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A trained model, not yet registered.

    Parameters
    ----------
    files
        The artifact: manifest.json, features.json, info.json, model.onnx, the native model, evaluation.npz.
        The same rows, SQL, options, seed and threads give the same bytes.
    digest
        `artifact_digest` of the files.
    metrics
        What ML.EVALUATE without data answers, by column name.
    evaluated_on
        ``evaluation`` (a part of the rows that training never saw) or ``training`` (there was no such part).
    iterations
        The rows of ML.TRAINING_INFO.
    feature_info
        The rows of ML.FEATURE_INFO: input, min, max, mean, median, stddev, category_count, null_count, dimension.
    """

    files: dict[str, bytes]
    digest: str
    metrics: dict[str, float]
    evaluated_on: Literal["evaluation", "training"]
    iterations: tuple[Iteration, ...]
    rows_train: int
    rows_eval: int
    seconds: float
    warnings: tuple[str, ...] = ()
    model_type: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    feature_info: tuple[dict[str, Any], ...] = ()
