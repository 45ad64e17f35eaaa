"""A project whose table takes in what is new: from files that are delivered, or from one source that grows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.project import Project, open_project
from tidemill.runner.report import RunReport

FIRST = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - files hold plain times
KEYED = "incremental_by = 'at', unique_key = ['id']"
Row = tuple[int, float, int | None]  # id, amount, day


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A project in a folder, open."""

    root: Path
    project: Project

    def write(self, statement: str, name: str = "orders") -> None:
        """Write a statement of the project."""
        (self.root / "sql" / f"{name}.sql").write_text(statement)

    def orders(
        self, options: str = KEYED, *, source: str = "'data/*.parquet'", columns: str = "", more: str = ""
    ) -> None:
        """Write the statement of the table."""
        self.write(f"CREATE TABLE orders {columns} OPTIONS ({options}) AS SELECT * FROM {source}{more};")

    def deliver(self, name: str, rows: Sequence[Row], **more: Sequence[Any]) -> None:
        """Write a file of rows; ``day`` becomes the time ``at``."""
        at = [None if day is None else FIRST + dt.timedelta(days=day) for _, _, day in rows]
        columns: dict[str, Any] = {
            "id": pa.array([row[0] for row in rows], pa.int64()),
            "amount": pa.array([row[1] for row in rows], pa.float64()),
            "at": pa.array(at, pa.timestamp("us")),
            **more,
        }
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), path)

    def run(self, *selectors: str, full_refresh: bool = False) -> RunReport:
        """Run, and demand that nothing fails."""
        report = self.try_run(*selectors, full_refresh=full_refresh)
        assert report.status != "failed", [step.error for step in report.steps if step.error]
        return report

    def try_run(self, *selectors: str, full_refresh: bool = False) -> RunReport:
        """Run."""
        return self.project.run(selectors, full_refresh=full_refresh)

    def plan(self) -> dict[str, tuple[str, str]]:
        """What a run would do: action and reason by asset."""
        return {step.asset: (step.action, step.reason) for step in self.project.plan().work}

    def rows(self, sql: str = "SELECT id, amount FROM orders ORDER BY ALL") -> list[tuple[Any, ...]]:
        """What a query answers."""
        return self.project.sql(sql).fetchall()

    def verify(self) -> list[Any]:
        """What is wrong with the files."""
        return [*self.project.verify()]

    def history(self) -> list[tuple[str, int, int, int, int]]:
        """What each version of the table did, oldest first: action, rows after it, added, replaced, deleted."""
        found = reversed(self.project.history("orders"))
        return [(one.action, one.rows, one.added, one.replaced, one.deleted) for one in found]


def outcomes(report: RunReport) -> dict[str, str]:
    """What became of each step."""
    return {step.asset: step.status for step in report.steps}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An empty project."""
    (tmp_path / "tidemill.toml").write_text('name = "shop"\n')
    (tmp_path / "sql").mkdir()
    with open_project(tmp_path) as project:
        yield Shop(root=tmp_path, project=project)
