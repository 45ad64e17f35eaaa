"""What the functions know of a model: its label, its feature plan and its recorded facts, read from its files.

The files are described in `training.artifact`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import InternalError, UnsupportedError
from tidemill.features.plan import FeaturePlan, plan_from_dict
from tidemill.model_types.base import Labels
from tidemill.model_types.table import find_model_type
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.training.artifact import EVALUATION, FEATURES, INFO, read_json_file

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.call import FunctionCall


@dataclass(frozen=True)
class ModelFacts:
    """A loaded model's facts; files are read when they are first asked for."""

    model: LoadedModel

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest."""
        return self.model.manifest

    @property
    def model_type(self) -> str:
        """The model's type, upper-case."""
        return str(self.manifest["model_type"])

    @cached_property
    def labels(self) -> Labels:
        """The label's column and classes."""
        label = self.manifest["label"]
        return Labels(column=label["column"], classes=tuple(label["classes"]))

    @cached_property
    def label_type(self) -> pa.DataType:
        """The label's Arrow type: what predictions of a classifier are."""
        return arrow_type(self.manifest["label"]["type"])

    @cached_property
    def plan(self) -> FeaturePlan:
        """How rows are encoded."""
        return plan_from_dict(read_json_file(self.model.files, FEATURES))

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What the explaining functions read."""
        info: Mapping[str, Any] = read_json_file(self.model.files, INFO)
        return info

    @property
    def fitted(self) -> Mapping[str, Any]:
        """What the model type says of the fitted model."""
        fitted: Mapping[str, Any] = self.info["fitted"]
        return fitted

    @property
    def metrics(self) -> Mapping[str, float]:
        """Metrics of the rows that training evaluated."""
        metrics: Mapping[str, float] = self.manifest["metrics"]
        return metrics

    def class_values(self) -> pa.Array:
        """The classes in ascending order, in the label's type."""
        import pyarrow as pa

        values = list(self.labels.classes)
        try:
            return pa.array(values, type=self.label_type)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.array([str(value) for value in values], type=pa.string()).cast(self.label_type)

    def evaluation(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores of the rows that training evaluated."""
        import numpy as np

        with np.load(io.BytesIO(self.model.files[EVALUATION]), allow_pickle=False) as arrays:
            return arrays["y"], arrays["scores"]

    def weights(self) -> list[tuple[list[float], float]]:
        """Weights per encoded column and intercept, standardised; one pair, or one per class of three or more."""
        import numpy as np

        fitted = self.fitted
        if fitted["kind"] == "linear":
            return [(list(fitted["weights"]), float(fitted["intercept"]))]
        by_output = np.asarray(fitted["weights"], dtype=np.float64).reshape(-1, len(fitted["intercepts"])).T
        return [(row.tolist(), float(b)) for row, b in zip(by_output, fitted["intercepts"], strict=True)]

    def iterations(self) -> list[dict[str, Any]]:
        """Rows of ML.TRAINING_INFO; how long each took is kept beside the files, which hold no times.

        Runs before the last one (WARM_START) belong to other versions: their durations are not known here.
        """
        rows = self.info["iterations"]
        last = max((row["training_run"] for row in rows), default=0)
        durations = {(last, row.iteration): row.duration_ms for row in self.model.iterations}
        return [{"duration_ms": durations.get((row["training_run"], row["iteration"])), **row} for row in rows]

    def feature_info(self) -> list[dict[str, Any]]:
        """Rows of ML.FEATURE_INFO."""
        return [dict(row) for row in self.info["feature_info"]]


def facts_of(call: FunctionCall) -> ModelFacts:
    """Facts of the model a function is called with.

    Raises
    ------
    UnsupportedError
        The function does not take models of this type.
    """
    if call.model is None:
        raise InternalError(f"{call.function} was called without a model", where=call.where)
    facts = ModelFacts(call.model)
    row = find_model_type(facts.model_type)
    if row is not None and call.function not in row.functions:
        taken = ", ".join(name for name in row.functions if _is_built(name))
        raise UnsupportedError(
            f"{call.function} does not take {row.name} models; {facts.name} is one",
            where=call.where,
            hint=f"{row.name} models are taken by {taken}",
        )
    return facts


def arrow_type(text: str) -> pa.DataType:
    """Read the Arrow type that a text names, as ``str(type)`` writes it."""
    import pyarrow as pa

    kind, _, rest = text.partition("(")
    if kind in ("decimal128", "decimal256"):
        precision, scale = (int(part) for part in rest.rstrip(")").split(","))
        return getattr(pa, kind)(precision, scale)
    if text.startswith("timestamp[") and "tz=" in text:
        unit, _, zone = text.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
        return pa.timestamp(unit, tz=zone)
    if text.startswith("dictionary<values="):
        return arrow_type(text.removeprefix("dictionary<values=").partition(",")[0])
    return pa.type_for_alias(text)


def _is_built(function: str) -> bool:
    row = ML_FUNCTIONS.get(function)
    return row is not None and row.status != "rejected"
