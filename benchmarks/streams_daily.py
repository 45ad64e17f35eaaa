"""noaa_weather with a model trained anew for each of its days, by ``tidemill backtest --every 1d``.

A backtest trains as of each day without a server, gates and rollout. It takes some half an hour of CPU: days go in
parts, each a process, as many at once as there are cores; a part that is done is kept like the replays of `streams`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.common import OUT, TIDEMILL, measure, prepare, project, say
from benchmarks.streams_world import NOAA

STATEMENTS = """
CREATE TABLE known_rows AS SELECT *, at + INTERVAL AFTER AS known FROM rows;
CREATE OR REPLACE MODEL daily OPTIONS (OF_ROWS) AS SELECT * FROM known_rows;
CREATE OR REPLACE MODEL once OPTIONS (OF_ROWS, train_as_of = 'BEGIN') AS SELECT * FROM known_rows;
CREATE TABLE answers_of_once AS
SELECT at, predicted_LABEL = LABEL AS correct FROM ML.PREDICT(MODEL once, (SELECT * FROM rows WHERE at >= 'BEGIN'));
"""
OF_ROWS = """
    model_type = 'LOGISTIC_REG', input_label_cols = ['LABEL'], data_split_method = 'NO_SPLIT', train_time_col = 'at',
    train_known_col = 'known'
"""
FIRST, END = map(datetime.fromisoformat, (NOAA.begin, "1998-09-20"))
PART = timedelta(days=1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """Days, each with whether the version of that day and that of the first year were right, and the cost.

    Parameters
    ----------
    training_s
        The median time of a training, in each part.
    """

    days: Sequence[str]
    daily: Sequence[bool]
    once: Sequence[bool]
    cpu_s: float
    training_s: Sequence[float]

    def accuracy(self, who: Sequence[bool], since: str = "", until: str = "9999") -> float:
        """The share of days from ``since`` on, before ``until``, on which it was right."""
        right = [one for one, day in zip(who, self.days, strict=True) if since <= day < until]
        return sum(right) / len(right)


def daily(*, quick: bool) -> Daily:
    """Every day's training, or the first three weeks'."""
    folder = project("noaa-every-day", {"tidemill.toml": "threads = 1\n", "sql/all.sql": _statements()})
    prepare([TIDEMILL, "run"], folder=folder)
    end = FIRST + timedelta(days=21) if quick else END
    starts = [FIRST + number * PART for number in range(-(-(end - FIRST) // PART))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(lambda start: _part(folder, start, min(start + PART, end)), starts))
    right = {day: value == 1.0 for part in parts for day, value in part["right"]}
    once = _once(folder)
    days = sorted(right)
    return Daily(
        days=days,
        daily=[right[day] for day in days],
        once=[once[day] for day in days],
        cpu_s=sum(part["cpu_s"] for part in parts),
        training_s=[part["training_s"] for part in parts],
    )


def _statements() -> str:
    table = NOAA.table.replace("FILE", str(NOAA.file))
    own = STATEMENTS.replace("OF_ROWS", OF_ROWS).replace("AFTER", NOAA.after).replace("BEGIN", NOAA.begin)
    return table + own.replace("LABEL", NOAA.label)


def _part(folder: Path, start: datetime, end: datetime) -> Mapping[str, object]:
    """The days from ``start`` to ``end``: those that are kept, or new ones."""
    kept = OUT / "streams" / f"noaa-every-day-{start:%Y-%m-%d}-{end:%Y-%m-%d}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    log = OUT / "logs" / f"{kept.stem}.txt"
    command = [TIDEMILL, "backtest", "daily", "--every", "1d", "--ages", "1", "--metric", "accuracy", "--json"]
    used = measure([*command, "--from", f"{start:%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}"], folder=folder, log=log)
    told = log.read_text()
    found = json.loads(told[told.index("{") :])
    seconds = sorted(one["seconds"] for one in found["cuts"])
    part = {
        "right": [[one["start"][:10], one["value"]] for one in found["scores"] if one["age"] == 0],
        "cpu_s": used.cpu_s,
        "training_s": seconds[len(seconds) // 2],
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(part))
    say(f"  {kept.stem}: {used.wall_s:.0f} s, {used.cpu_s:.0f} s CPU")
    return part


def _once(folder: Path) -> Mapping[str, bool]:
    log = OUT / "logs" / "noaa-once.txt"
    sql = "SELECT strftime(at, '%Y-%m-%d') AS day, correct FROM answers_of_once"
    measure([TIDEMILL, "query", sql, "--format", "csv"], folder=folder, log=log)
    return {row["day"]: row["correct"] == "true" for row in csv.DictReader(log.open())}
