"""The names of the metrics, by task, and what is known of each before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping

from tidemill.core.errors import SettingsError, Where
from tidemill.core.names import did_you_mean

CLASSIFIER_METRICS = ("precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc")
REGRESSOR_METRICS = (
    "mean_absolute_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "median_absolute_error",
    "r2_score",
    "explained_variance",
)
ERRORS = frozenset(
    {
        "log_loss",
        "mean_absolute_error",
        "mean_squared_error",
        "mean_squared_log_error",
        "median_absolute_error",
    }
)
"""Less of these is better, and they have a unit: margins on them are shares of another value."""

HIGHER_IS_BETTER = frozenset({*CLASSIFIER_METRICS, *REGRESSOR_METRICS}) - ERRORS

OTHER_NAMES: Mapping[str, str] = {
    "auc": "roc_auc",
    "area_under_curve": "roc_auc",
    "cross_entropy": "log_loss",
    "f1": "f1_score",
    "logloss": "log_loss",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_log_error",
    "medae": "median_absolute_error",
    "r2": "r2_score",
    "rmse": "mean_squared_error",
    "root_mean_squared_error": "mean_squared_error",
}
"""What other tools call them, or what orders versions the same way: the name to write here."""


def wrong_metric(
    setting: str, metric: str, about: str, known: tuple[str, ...], *, where: Where | None = None
) -> SettingsError | None:
    """Why a setting cannot have this metric; None when it can.

    Parameters
    ----------
    about
        What is judged, in words.
    known
        The metrics of its task.
    """
    if metric in known:
        return None
    other = OTHER_NAMES.get(metric.casefold().replace("-", "_").replace(" ", "_"), "")
    near = f"did you mean {other}?" if other in known else did_you_mean(metric, known)
    listed = f"its metrics are {', '.join(known)}"
    hint = f"{near} {listed}" if near.startswith("did") else listed
    return SettingsError(f"{setting} is {metric}, which says nothing of {about}", where=where, hint=hint)
