"""Tables of backtests: one row each, and one for each period that a training was tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_STATEMENTS = (
    """
    CREATE TABLE backtests (
        backtest BIGINT PRIMARY KEY,
        model TEXT NOT NULL,
        who TEXT NOT NULL,
        metric TEXT NOT NULL,
        every_s DOUBLE PRECISION NOT NULL,
        train_window TEXT NOT NULL,
        time_column TEXT NOT NULL,
        known_column TEXT NOT NULL,
        trainings BIGINT NOT NULL,
        first_cut TEXT NOT NULL,
        last_cut TEXT NOT NULL,
        enough BIGINT,
        said TEXT NOT NULL,
        ages TEXT NOT NULL,
        paces TEXT NOT NULL,
        notes TEXT NOT NULL,
        training_s DOUBLE PRECISION NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        created_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE backtest_scores (
        backtest BIGINT NOT NULL REFERENCES backtests (backtest),
        cut TEXT NOT NULL,
        period_start TEXT NOT NULL,
        age BIGINT NOT NULL,
        rows_tested BIGINT NOT NULL,
        value DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (backtest, cut, age)
    )
    """,
)


def create_backtest_tables(tx: Tx) -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        tx.execute(statement)
