"""A shop whose deployment has answered for some days: real answers of a real model, logged at times of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tidemill.core.clock import Clock
from tidemill.project import Project, open_project
from tidemill.serving.log.records import LabelRecord, LabelRow, PredictionRecord, encode
from tidemill.serving.log.writer import LogWriter

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)

SQL = """
CREATE TABLE visits AS SELECT * FROM 'visits.csv';
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT * EXCLUDE (id) FROM visits;
"""
SETTINGS = """
name = "shop"

[deployments.buyers]
key = "id"
log = "buffered"

[deployments.buyers.monitor]
max_age = ""
"""


@dataclass(slots=True)
class Hands:
    """A clock whose hands somebody moves."""

    now: datetime = BEGIN

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now)


@dataclass(slots=True, kw_only=True)
class Shop:
    """The project, its clock, and what was asked of it."""

    root: Path
    project: Project
    hands: Hands
    random: np.random.Generator
    asked: int = 0
    truth: dict[str, str] = field(default_factory=dict)

    def visitors(self, count: int, **changes: Any) -> list[dict[str, Any]]:
        """Rows as training had them; a change makes a column's values anew from their places and values."""
        columns: dict[str, Any] = columns_of(self.random, count)
        for name, change in changes.items():
            columns[name] = change(list(enumerate(columns[name])))
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def answer(self, rows: Sequence[Mapping[str, Any]], at: datetime, *, version: int = 1, **changes: Any) -> list[str]:
        """Log the answers to some rows, spread over the hour from a time on; gives back their ids."""
        scores = self._scores(rows)
        ids = []
        with closing(LogWriter(self.root / ".tidemill" / "spool", worker="w0", clock=Clock())) as log:
            for number, (row, score) in enumerate(zip(rows, scores, strict=True)):
                self.asked += 1
                moment = at + timedelta(hours=1) * number / max(1, len(rows))
                id_ = f"r{self.asked}"
                ids.append(id_)
                self.truth[id_] = str(bool(truth_of(row))).lower()
                inputs = {name: value for name, value in row.items() if name != "bought"}
                log.append(encode(_record(id_, moment, inputs, score, version, changes)))
        return ids

    def shadow(self, ids: Sequence[str], rows: Sequence[Mapping[str, Any]], at: datetime, *, version: int) -> None:
        """Log what a version said in the shadow to requests that were answered."""
        with closing(LogWriter(self.root / ".tidemill" / "spool", worker="w2", clock=Clock())) as log:
            for id_, row, score in zip(ids, rows, self._scores(rows), strict=True):
                inputs = {name: value for name, value in row.items() if name != "bought"}
                log.append(encode(_record(f"{id_}-shadow", at, inputs, score, version, {"route": "shadow"})))

    def label(self, labels: Mapping[str, str], at: datetime) -> None:
        """Tell what came true, by the ids of answers."""
        rows = [LabelRow(id=id_, label=label) for id_, label in labels.items()]
        record = LabelRecord(id=f"l{at:%s%f}", at_ns=_ns(at), deployment="buyers", model="buyers", rows=rows)
        with closing(LogWriter(self.root / ".tidemill" / "spool", worker="w1", clock=Clock())) as log:
            log.append(encode(record))

    def monitor(self, at: datetime) -> list[Any]:
        """Look at a time."""
        self.hands.now = at
        self.project.collect()
        return self.project.monitor()

    def reopen(self) -> None:
        """Read the settings again."""
        self.project.close()
        self.project = open_project(self.root, clock=self.hands.clock)

    def query(self, sql: str) -> list[dict[str, Any]]:
        return list(self.project.sql(sql).to_arrow().to_pylist())

    def _scores(self, rows: Sequence[Mapping[str, Any]]) -> list[float]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist([{**row, "tm_place": place} for place, row in enumerate(rows)])
        path = self.root / "asked.parquet"
        pq.write_table(table, path)
        found = self.query(
            f"SELECT tm_place, predicted_bought_probs FROM ML.PREDICT(MODEL buyers, (SELECT * FROM '{path}'))"
            " ORDER BY tm_place"
        )
        return [next(one["prob"] for one in row["predicted_bought_probs"] if one["label"]) for row in found]


def columns_of(random: np.random.Generator, count: int) -> dict[str, list[Any]]:
    """Visits: two numbers, one of them sometimes missing, and two texts."""
    pages = random.poisson(5, count)
    seconds = [None if random.random() < 0.05 else round(float(x), 3) for x in random.normal(100, 20, count)]
    return {
        "id": [int(one) for one in random.integers(0, 10**9, count)],
        "pages": [int(one) for one in pages],
        "seconds": seconds,
        "country": [str(one) for one in random.choice(["NL", "DE", "FR"], count, p=[0.5, 0.3, 0.2])],
        "device": [str(one) for one in random.choice(["phone", "desk"], count)],
    }


def truth_of(row: Mapping[str, Any]) -> bool:
    """Whether a visitor buys: by a hash of the row, more often with many pages."""
    logit = (
        0.7 * (row["pages"] - 5) + (0.8 if row["country"] == "NL" else -0.4) + 0.02 * ((row["seconds"] or 100) - 100)
    )
    return bool((row["id"] % 9973) / 9973 < 1 / (1 + np.exp(-logit)))


def build_shop(root: Path, *, rows: int = 4_000, seed: int = 7) -> None:
    """Train and deploy."""
    columns = columns_of(np.random.default_rng(seed), rows)
    lines = ["id,pages,seconds,country,device,bought"]
    for row in zip(*columns.values(), strict=True):
        given = dict(zip(columns, row, strict=True))
        told = "" if given["seconds"] is None else given["seconds"]
        lines.append(
            f"{given['id']},{given['pages']},{told},{given['country']},{given['device']},{str(truth_of(given)).lower()}"
        )
    (root / "visits.csv").write_text("\n".join(lines) + "\n")
    (root / "tidemill.toml").write_text(SETTINGS)
    (root / "sql").mkdir()
    (root / "sql" / "all.sql").write_text(SQL)
    with open_project(root, clock=Hands().clock) as project:
        report = project.run()
        assert report.status == "ok", report
        project.deploy("buyers", override="a test's world", why="a test")


def open_shop(root: Path, *, seed: int = 8) -> Shop:
    """A shop that was built in this folder, or copied here."""
    hands = Hands()
    project = open_project(root, clock=hands.clock)
    return Shop(root=root, project=project, hands=hands, random=np.random.default_rng(seed))


def _record(
    id_: str, at: datetime, inputs: Mapping[str, Any], score: float, version: int, changes: Mapping[str, Any]
) -> PredictionRecord:
    given: dict[str, Any] = {
        "id": id_,
        "at_ns": _ns(at),
        "deployment": "buyers",
        "model": "buyers",
        "version": version,
        "digest": "d" * 64,
        "route": "champion",
        "share": 0.0,
        "n": 1,
        "keys": [str(inputs["id"])],
        "inputs": json.dumps({"rows": [inputs]}).encode(),
        "predictions": [score >= 0.5],
        "probabilities": [[1 - score, score]],
        "classes": (False, True),
        "latency_us": 1_500,
        "trace": "",
        "principal": "",
    }
    return PredictionRecord(**given | dict(changes))


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e9)
