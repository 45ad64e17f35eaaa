"""Backtests as rows; `runner.backtest` makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidemill.warehouse.control.connection import Database, Tx, time_text, to_json, writing


def save_backtest(
    db: Database | Tx,
    *,
    facts: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    cuts: tuple[datetime, datetime],
) -> int:
    """Write a backtest down; gives its number.

    Parameters
    ----------
    facts
        What `BacktestReport.as_json` says, and ``who``.
    scores
        For each period tested: cut, start, age, rows, value.
    """
    with writing(db) as tx:
        number = int(tx.value("SELECT max(backtest) FROM backtests") or 0) + 1
        tx.execute(
            "INSERT INTO backtests (backtest, model, who, metric, every_s, train_window, time_column, known_column,"
            " trainings, first_cut, last_cut, enough, said, ages, paces, notes, training_s, seconds, created_at) VALUES"
            " (:number, :model, :who, :metric, :every_s, :window, :time, :known, :trainings, :first, :last, :enough,"
            " :said, :ages, :paces, :notes, :training_s, :seconds, :now)",
            number=number,
            model=facts["model"],
            who=facts["who"],
            metric=facts["metric"],
            every_s=facts["every_seconds"],
            window=facts["window"],
            time=facts["time"],
            known=facts["known"],
            trainings=facts["trainings"],
            first=time_text(cuts[0]),
            last=time_text(cuts[1]),
            enough=facts["enough"],
            said=to_json(facts["said"]),
            ages=to_json(facts["ages"]),
            paces=to_json(facts["paces"]),
            notes=to_json(facts["notes"]),
            training_s=facts["training_s"],
            seconds=facts["seconds"],
            now=tx.now(),
        )
        tx.execute_many(
            "INSERT INTO backtest_scores (backtest, cut, period_start, age, rows_tested, value) VALUES (:number, :cut,"
            " :start, :age, :rows, :value)",
            [
                {
                    "number": number,
                    "cut": time_text(one["cut"]),
                    "start": time_text(one["start"]),
                    "age": one["age"],
                    "rows": one["rows"],
                    "value": one["value"],
                }
                for one in scores
            ],
        )
    return number
