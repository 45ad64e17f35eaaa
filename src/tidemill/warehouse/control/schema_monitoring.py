"""Tables of what is watched: windows, what was measured of them, and how their columns were distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_SQL = (
    # answers: rows that were answered in the window; labelled: how many of them have a label by now.
    # inputs_judged_at, quality_judged_at: when the window was judged, which happens once for each of the two.
    """
    CREATE TABLE monitor_windows (
        deployment_key TEXT NOT NULL REFERENCES deployments (deployment_key),
        window_start TEXT NOT NULL,
        window_end TEXT NOT NULL,
        version BIGINT,
        answers BIGINT NOT NULL,
        labelled BIGINT NOT NULL,
        inputs_judged_at TEXT,
        quality_judged_at TEXT,
        measured_at TEXT NOT NULL,
        PRIMARY KEY (deployment_key, window_start)
    )
    """,
    # The newest of the collector's commits whose labels were looked at.
    """
    CREATE TABLE monitor_states (
        deployment_key TEXT PRIMARY KEY REFERENCES deployments (deployment_key),
        log_batch BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE measurements (
        deployment_key TEXT NOT NULL,
        window_start TEXT NOT NULL,
        number BIGINT NOT NULL,
        part TEXT NOT NULL,
        family TEXT NOT NULL,
        subject TEXT NOT NULL,
        slice TEXT NOT NULL,
        reference TEXT NOT NULL,
        test TEXT NOT NULL,
        version BIGINT,
        value DOUBLE PRECISION,
        low DOUBLE PRECISION,
        high DOUBLE PRECISION,
        p_value DOUBLE PRECISION,
        effect_limit DOUBLE PRECISION,
        row_count BIGINT NOT NULL,
        reference_rows BIGINT NOT NULL,
        weight DOUBLE PRECISION NOT NULL,
        source TEXT NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (deployment_key, window_start, part, number),
        FOREIGN KEY (deployment_key, window_start) REFERENCES monitor_windows (deployment_key, window_start)
    )
    """,
    # The counts that the measurements came from: charts draw them, and the windows after are compared with them.
    """
    CREATE TABLE window_distributions (
        deployment_key TEXT NOT NULL,
        window_start TEXT NOT NULL,
        column_name TEXT NOT NULL,
        version BIGINT,
        distribution TEXT NOT NULL,
        PRIMARY KEY (deployment_key, window_start, column_name),
        FOREIGN KEY (deployment_key, window_start) REFERENCES monitor_windows (deployment_key, window_start)
    )
    """,
    # What the servers' counters said at a time: the difference of two is what happened between them.
    """
    CREATE TABLE counter_samples (
        deployment_key TEXT NOT NULL REFERENCES deployments (deployment_key),
        sampled_at TEXT NOT NULL,
        requests BIGINT NOT NULL,
        failed BIGINT NOT NULL,
        PRIMARY KEY (deployment_key, sampled_at)
    )
    """,
)


def count_refused(tx: Tx) -> None:
    """Count requests that were refused for their rows; NULL in samples of before."""
    tx.execute("ALTER TABLE counter_samples ADD COLUMN refused BIGINT")


def create_monitoring_tables(tx: Tx) -> None:
    """The migration that brings the tables."""
    for statement in _SQL:
        tx.execute(statement)
