"""A shop whose tables, models, log and records know some people, of whom Ann wants to be erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tests.serving.log.conftest import label, prediction, write

from tidemill.governance.subject import read_value
from tidemill.project import Project, open_project
from tidemill.runner.erase.request import Asked, Looked
from tidemill.serving.log.records import LabelRow, PredictionRecord

ANN = "ann@example.org"
BY_MAIL = f"email={ANN}"
NOT_ANN = ("joann@example.org", "ann@example.organic")
HEADER = "email,customer,age,city,bought"

SQL = """
CREATE TABLE people (email PRIMARY KEY, age CHECK (age < 70) NOT ENFORCED) OPTIONS (max_bad_rows = 5) AS
SELECT * FROM 'people.csv';

CREATE TABLE visits AS SELECT email, customer, age * 2 AS pages FROM people;

CREATE TABLE totals AS SELECT city, count(*) AS n FROM people GROUP BY city;

CREATE TABLE weather AS
SELECT i AS day, hash(i) % 30 AS degrees, hash(i + 1) % 2 = 0 AS rain FROM range(200) AS r(i);

CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought'], max_iterations = 5)
AS SELECT age, city, bought FROM people;

CREATE OR REPLACE MODEL rain OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['rain'], max_iterations = 5)
AS SELECT degrees, rain FROM weather;
"""
SETTINGS = """
name = "shop"
threads = 1
{top}
[server]
settle_seconds = 0
[deployments.buyers]
key = "email"
log = "buffered"
[deployments.buyers.monitor]
max_age = ""
{sections}
"""
REJECTED = [f"{ANN},7,90,NL,true,more", "eve@example.org,7,20,NL,true,more", "dan@example.org,77,20,NL,true,more"]
LONG_AGO = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())


def line(number: int) -> str:
    """Somebody of the file, by number."""
    bought = str((number * 31 % 97) + number % 50 > 70).lower()
    return f"p{number:03}@example.org,{1000 + number},{20 + number % 45},{('NL', 'DE', 'FR')[number % 3]},{bought}"


def lines(*, ann_age: int = 90, more: Sequence[str] = ()) -> list[str]:
    """The people of the shop; Ann is the customer 7 and in the middle of them."""
    others = [line(number) for number in range(300)]
    named = [f"{NOT_ANN[0]},77,91,DE,true", f"{ANN},7,{ann_age},NL,true", f"{NOT_ANN[1]},5007,92,FR,false"]
    return [HEADER, *others[:150], *named, *others[150:], *more]


def write_people(root: Path, *, ann_age: int = 90, more: Sequence[str] = REJECTED) -> None:
    (root / "people.csv").write_text("\n".join(lines(ann_age=ann_age, more=more)) + "\n")


def make_shop(root: Path, *, more: str = "") -> None:
    """Two versions of the tables and of the model that reads Ann, one of the other; her file is gone since."""
    (root / "sql").mkdir(parents=True)
    settle(root, more)
    (root / "sql" / "all.sql").write_text(SQL)
    with open_project(root) as project:
        for age in (90, 91):
            write_people(root, ann_age=age)
            report = project.run()
            assert report.status == "ok", report
    (root / "people.csv").unlink()


def settle(root: Path, more: str = "grace_hours = 0") -> None:
    """Set more; without grace files go at once that no version reads."""
    top, sections = ("", more) if more.startswith("[") else (more, "")
    (root / "tidemill.toml").write_text(SETTINGS.format(top=top, sections=sections))


@dataclass(slots=True, kw_only=True)
class Shop:
    """The shop, opened."""

    root: Path
    project: Project

    @property
    def keep(self) -> Path:
        return self.root / ".tidemill"

    @property
    def ledger(self) -> Path:
        return self.root / "erasures.jsonl"

    def look(self, *given: str) -> Looked:
        return self.project.look_for([read_value(one) for one in given])

    def erase(self, *given: str, now: bool = True, **more: Any) -> Asked:
        return self.project.erase([read_value(one) for one in given or (BY_MAIL,)], now=now, **more)

    def rows(self, sql: str) -> list[Any]:
        return [row[0] if len(row) == 1 else row for row in self.project.sql(sql).fetchall()]

    def mails(self, table: str = "people") -> list[str]:
        return self.rows(f"SELECT email FROM {table}")

    def answer(self, number: int, **changes: Any) -> PredictionRecord:
        """An answer of the deployment, to a request of somebody else unless it is changed."""
        given = {"deployment": "buyers", "model": "buyers", "version": 1, "keys": [f"p{number:03}@example.org"]}
        inputs = b'{"rows":[{"age":%d,"city":"NL"}]}' % number
        return prediction(number, **{**given, "at_ns": (LONG_AGO + number) * 10**9, "inputs": inputs, **changes})

    def log(self, *answers: PredictionRecord, labels: Sequence[LabelRow] = (), collect: bool = True) -> None:
        """Put answers and labels into the log."""
        told = [label(1, *labels, at_ns=(LONG_AGO + 900) * 10**9, deployment="buyers", model="buyers")]
        write(self.keep / "spool", *answers, *(told if labels else ()))
        if collect:
            self.project.collect()


def places_of(folder: Path, text: str = ANN) -> list[str]:
    """The files under a folder that hold a text: as it is, as NumPy writes it, or in a column of a Parquet file."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _holds(path, text))


def _holds(path: Path, text: str) -> bool:
    if not path.is_file():
        return False
    data = path.read_bytes()
    if path.suffix == ".parquet":
        data += str(pq.read_table(path).to_pylist()).encode()
    for longer in NOT_ANN:
        data = data.replace(longer.encode(), b"")
    return any(text.encode(code) in data for code in ("utf-8", "utf-32-le"))
