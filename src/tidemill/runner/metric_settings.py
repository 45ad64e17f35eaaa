"""Whether the metrics that deployments name say anything of their models: asked before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tidemill.core.names import asset_key

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.sql.statements import Summary


def declared_types(summaries: Iterable[Summary]) -> dict[str, str]:
    """The MODEL_TYPE of each model that the statements make, by key."""
    return {asset_key(one.name): one.model_type for one in summaries if one.kind == "model" and one.model_type}


def require_metrics(deployments: Iterable[DeploymentSettings], types: Mapping[str, str]) -> None:
    """Refuse a metric of another task than the model's.

    Parameters
    ----------
    types
        The MODEL_TYPE of models, by key; of a model that has none here nothing is said.

    Raises
    ------
    SettingsError
        The first that is wrong, and where it stands.
    """
    for one in deployments:
        given = {"gates": one.gates.metric, "monitor": one.monitor.metric}
        model_type = types.get(asset_key(one.model), "")
        known = _metrics_of(model_type) if any(given.values()) else ()
        for part, metric in given.items():
            if metric and known:
                _require(one, part, metric, f"{one.model}, a {model_type.upper()}", known)


def _require(one: DeploymentSettings, part: str, metric: str, about: str, known: tuple[str, ...]) -> None:
    from tidemill.evaluation.metric_names import wrong_metric

    setting = f"deployments.{one.name}.{part}.metric"
    error = wrong_metric(setting, metric, about, known, where=one.named_at.get(f"{part}.metric"))
    if error is not None:
        raise error


def _metrics_of(model_type: str) -> tuple[str, ...]:
    """The metrics of a model type's task; none where that has no label or is not known."""
    from tidemill.evaluation.metric_names import CLASSIFIER_METRICS, REGRESSOR_METRICS
    from tidemill.model_types.table import find_model_type

    found = find_model_type(model_type)
    tasks = {"classification": CLASSIFIER_METRICS, "regression": REGRESSOR_METRICS}
    return () if found is None else tasks.get(found.task, ())
