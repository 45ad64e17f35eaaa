"""What monitors wrote down: windows of a deployment, their measurements, and the distributions behind them.

A window has parts that are written anew each by itself: ``inputs`` (what is known when it is over), ``estimate`` (the
quality that is expected before labels come) and ``quality`` (what its labels say, as they come).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tidemill.core.distribution import Distribution, distribution_from_json
from tidemill.core.names import name_key
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, time_text, to_json, writing

Part = Literal["inputs", "estimate", "quality"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """A window that was measured.

    Parameters
    ----------
    version
        The version that gave most of its answers; None where there were none.
    measured_at
        When it was last written; given when it is.
    """

    start: datetime
    end: datetime
    version: int | None
    answers: int
    labelled: int = 0
    inputs_judged: bool = False
    quality_judged: bool = False
    measured_at: datetime | None = None


def save_window(tx: Tx, deployment: str, window: WindowRow) -> None:
    """Write a window, over what was known of it; what was judged stays judged."""
    tx.execute(
        "INSERT INTO monitor_windows"
        " (deployment_key, window_start, window_end, version, answers, labelled, measured_at)"
        " VALUES (:key, :start, :end, :version, :answers, :labelled, :now)"
        " ON CONFLICT (deployment_key, window_start) DO UPDATE SET version = excluded.version,"
        " answers = excluded.answers, labelled = excluded.labelled, measured_at = excluded.measured_at",
        key=name_key(deployment),
        start=time_text(window.start),
        end=time_text(window.end),
        version=window.version,
        answers=window.answers,
        labelled=window.labelled,
        now=tx.now(),
    )


def mark_judged(tx: Tx, deployment: str, start: datetime, part: Literal["inputs", "quality"]) -> None:
    """Write down that a part of a window was judged; the first time counts."""
    column = {"inputs": "inputs_judged_at", "quality": "quality_judged_at"}[part]
    tx.execute(
        f"UPDATE monitor_windows SET {column} = coalesce({column}, :now)"
        " WHERE deployment_key = :key AND window_start = :start",
        now=tx.now(),
        key=name_key(deployment),
        start=time_text(start),
    )


def load_windows(
    db: Database | Tx, deployment: str, *, since: datetime | None = None, until: datetime | None = None
) -> list[WindowRow]:
    """The windows that begin from ``since`` on and before ``until``, in order of time."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT * FROM monitor_windows WHERE deployment_key = :key AND window_start >= :since"
            " AND window_start < :until ORDER BY window_start",
            key=name_key(deployment),
            since=time_text(since) if since else "",
            until=time_text(until) if until else "9999",
        )
    return [
        WindowRow(
            start=parse_time(row["window_start"]),
            end=parse_time(row["window_end"]),
            version=row["version"],
            answers=row["answers"],
            labelled=row["labelled"],
            inputs_judged=row["inputs_judged_at"] is not None,
            quality_judged=row["quality_judged_at"] is not None,
            measured_at=parse_time(row["measured_at"]),
        )
        for row in rows
    ]


def seen_batch(db: Database | Tx, deployment: str) -> int:
    """The newest of the collector's commits whose labels were looked at; 0 before the first."""
    with reading(db) as tx:
        found = tx.value("SELECT log_batch FROM monitor_states WHERE deployment_key = :key", key=name_key(deployment))
    return int(found or 0)


def save_seen_batch(tx: Tx, deployment: str, batch: int) -> None:
    """Write down up to where labels were looked at."""
    tx.execute(
        "INSERT INTO monitor_states (deployment_key, log_batch) VALUES (:key, :batch)"
        " ON CONFLICT (deployment_key) DO UPDATE SET log_batch = excluded.log_batch",
        key=name_key(deployment),
        batch=batch,
    )


def save_measurements(
    tx: Tx, deployment: str, start: datetime, part: Part, measurements: Sequence[Mapping[str, Any]]
) -> None:
    """Write what was measured of one part of a window, in the place of what was written of it before."""
    place = {"key": name_key(deployment), "start": time_text(start), "part": part}
    tx.execute(
        "DELETE FROM measurements WHERE deployment_key = :key AND window_start = :start AND part = :part", **place
    )
    tx.execute_many(
        "INSERT INTO measurements (deployment_key, window_start, number, part, family, subject, slice, reference, test,"
        " version, value, low, high, p_value, effect_limit, row_count, reference_rows, weight, source, note) VALUES"
        " (:key, :start, :number, :part, :family, :subject, :slice, :reference, :test, :version, :value, :low, :high,"
        " :p_value, :limit, :rows, :reference_rows, :weight, :source, :note)",
        [{**place, **one, "number": number} for number, one in enumerate(measurements)],
    )


def windows_without(db: Database | Tx, deployment: str, part: Part) -> list[datetime]:
    """The starts of windows with answers of which a part was never measured, in order of time."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT window_start FROM monitor_windows w WHERE deployment_key = :key AND version IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM measurements m WHERE m.deployment_key = w.deployment_key"
            " AND m.window_start = w.window_start AND m.part = :part) ORDER BY window_start",
            key=name_key(deployment),
            part=part,
        )
    return [parse_time(row["window_start"]) for row in rows]


def newest_check(db: Database | Tx, deployment: str, version: int, *, before: datetime) -> dict[str, Any] | None:
    """The newest comparison of an estimate with the truth, of an earlier window whose quality was judged."""
    with reading(db) as tx:
        row = tx.row(
            "SELECT m.* FROM measurements m JOIN monitor_windows w"
            " ON w.deployment_key = m.deployment_key AND w.window_start = m.window_start"
            " WHERE m.deployment_key = :key AND m.part = 'quality' AND m.family = 'estimate' AND m.test = 'check'"
            " AND m.version = :version AND m.p_value IS NOT NULL AND w.quality_judged_at IS NOT NULL"
            " AND m.window_start < :before"
            " ORDER BY m.window_start DESC LIMIT 1",
            key=name_key(deployment),
            version=version,
            before=time_text(before),
        )
    return None if row is None else {**_measurement(row), "window_start": parse_time(row["window_start"])}


def _measurement(row: Row) -> dict[str, Any]:
    same = (
        "family", "subject", "slice", "reference", "test", "version", "value", "low", "high", "p_value",
        "reference_rows", "weight", "source", "note",
    )  # fmt: skip
    return {**{name: row[name] for name in same}, "limit": row["effect_limit"], "rows": row["row_count"]}


def save_distributions(
    tx: Tx, deployment: str, start: datetime, version: int | None, found: Iterable[Distribution]
) -> None:
    """Write how the columns of a window were distributed, in the place of what was written before."""
    place = {"key": name_key(deployment), "start": time_text(start)}
    tx.execute("DELETE FROM window_distributions WHERE deployment_key = :key AND window_start = :start", **place)
    tx.execute_many(
        "INSERT INTO window_distributions (deployment_key, window_start, column_name, version, distribution)"
        " VALUES (:key, :start, :column, :version, :distribution)",
        [{**place, "column": one.column, "version": version, "distribution": to_json(one.as_json())} for one in found],
    )


def load_distributions(
    db: Database | Tx, deployment: str, start: datetime, *, version: int | None = None
) -> dict[str, Distribution]:
    """How the columns of a window were distributed, by name; none when it was counted for another version's shapes."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT version, distribution FROM window_distributions"
            " WHERE deployment_key = :key AND window_start = :start ORDER BY column_name",
            key=name_key(deployment),
            start=time_text(start),
        )
    found = [
        distribution_from_json(json.loads(row["distribution"]))
        for row in rows
        if version is None or row["version"] == version
    ]
    return {one.column: one for one in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSample:
    """What the counters of the servers said at a time, since they began; None for what was not counted then."""

    at: datetime
    requests: int
    failed: int
    refused: int | None = None


def save_sample(db: Database | Tx, deployment: str, sample: CounterSample) -> None:
    """Write down what the counters say now."""
    with writing(db) as tx:
        tx.execute(
            "INSERT INTO counter_samples (deployment_key, sampled_at, requests, failed, refused)"
            " VALUES (:key, :at, :requests, :failed, :refused) ON CONFLICT (deployment_key, sampled_at) DO NOTHING",
            key=name_key(deployment),
            at=time_text(sample.at),
            requests=sample.requests,
            failed=sample.failed,
            refused=sample.refused,
        )


def samples_over(db: Database | Tx, deployment: str, start: datetime, end: datetime) -> list[CounterSample]:
    """Samples in order of time: the last up to a start, those after it, and the first from an end on."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT * FROM counter_samples WHERE deployment_key = :key"
            " AND sampled_at >= coalesce((SELECT max(sampled_at) FROM counter_samples"
            " WHERE deployment_key = :key AND sampled_at <= :start), :start)"
            " AND sampled_at <= coalesce((SELECT min(sampled_at) FROM counter_samples"
            " WHERE deployment_key = :key AND sampled_at >= :end), :end) ORDER BY sampled_at",
            key=name_key(deployment),
            start=time_text(start),
            end=time_text(end),
        )
    return [_sample(row) for row in rows]


def _sample(row: Row) -> CounterSample:
    return CounterSample(
        at=parse_time(row["sampled_at"]), requests=row["requests"], failed=row["failed"], refused=row["refused"]
    )
