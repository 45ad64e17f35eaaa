"""Metrics and training iterations of model versions.

- ``save_metrics(db, model, version, *, metrics, evaluated_on, run_id)``, ``load_metrics(db, model, version)``.
- ``save_training_info(db, model, version, *, iterations)``, ``load_training_info(db, model, version)``.

NaN is NULL in the database and comes back as NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tidemill.core.names import asset_key
from tidemill.model_types.base import Iteration
from tidemill.warehouse.control.database import Database, Tx, reading, writing


def save_metrics(
    db: Database | Tx, model: str, version: int, *, metrics: Mapping[str, float], evaluated_on: str, run_id: str
) -> None:
    """Write the metrics of a version; a metric that is there already is replaced."""
    with writing(db) as tx:
        now = tx.now()
        tx.execute_many(
            "INSERT INTO metrics (model_key, version, metric, evaluated_on, value, run_id, created_at)"
            " VALUES (:key, :version, :metric, :evaluated_on, :value, :run_id, :now)"
            " ON CONFLICT (model_key, version, metric, evaluated_on) DO UPDATE"
            " SET value = excluded.value, run_id = excluded.run_id, created_at = excluded.created_at",
            [
                {
                    "key": asset_key(model),
                    "version": version,
                    "metric": metric,
                    "evaluated_on": evaluated_on,
                    "value": float(value),
                    "run_id": run_id,
                    "now": now,
                }
                for metric, value in metrics.items()
            ],
        )


def load_metrics(db: Database | Tx, model: str, version: int) -> dict[str, float]:
    """Metrics of a version by name."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT metric, value FROM metrics WHERE model_key = :key AND version = :version ORDER BY metric",
            key=asset_key(model),
            version=version,
        )
    return {row["metric"]: math.nan if row["value"] is None else row["value"] for row in rows}


def save_training_info(db: Database | Tx, model: str, version: int, *, iterations: Iterable[Iteration]) -> None:
    """Write the iterations of a training."""
    with writing(db) as tx:
        tx.execute_many(
            "INSERT INTO training_info (model_key, version, iteration, loss, eval_loss, learning_rate, duration_ms)"
            " VALUES (:key, :version, :iteration, :loss, :eval_loss, :learning_rate, :duration_ms)"
            " ON CONFLICT (model_key, version, iteration) DO NOTHING",
            [
                {
                    "key": asset_key(model),
                    "version": version,
                    "iteration": item.iteration,
                    "loss": _number(item.loss),
                    "eval_loss": _number(item.eval_loss),
                    "learning_rate": _number(item.learning_rate),
                    "duration_ms": int(item.duration_ms),
                }
                for item in iterations
            ],
        )


def load_training_info(db: Database | Tx, model: str, version: int) -> tuple[Iteration, ...]:
    """Iterations of a training, in order."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT iteration, loss, eval_loss, learning_rate, duration_ms FROM training_info"
            " WHERE model_key = :key AND version = :version ORDER BY iteration",
            key=asset_key(model),
            version=version,
        )
    return tuple(Iteration(**row) for row in rows)


def _number(value: float | None) -> float | None:
    """Turn a numpy scalar into a plain number."""
    return None if value is None else float(value)
