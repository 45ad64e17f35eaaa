"""A shop whose customers leave, with a deployment, a clock that tests move, and batches of rows as files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tidemill.core.clock import Clock
from tidemill.project import Project, open_project
from tidemill.runner.retrain.carry_out import Retrained

DAY = timedelta(days=1)
# What is reviewed by hand judges; everything else trains.
SQL = """
CREATE TABLE customers (CHECK (months >= 0)) AS SELECT * FROM 'batch*.csv';
CREATE OR REPLACE MODEL churn OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['left'],
    data_split_method = 'CUSTOM', data_split_col = 'reviewed') AS
SELECT months, calls, plan, reviewed, "left" FROM customers;
"""
RETRAIN = """
[deployments.churn.retrain]
on = ["quality", "staleness", "schedule"]
max_age = "30 days"
max_age_with_drift = "5 days"
"""


@dataclass(slots=True, kw_only=True)
class Shop:
    """The project and its clock."""

    root: Path
    now: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)
    batches: int = 0
    project: Project = field(init=False)

    def __post_init__(self) -> None:
        self._open(RETRAIN)

    def reopen(self, settings: str) -> None:
        """Read these settings."""
        self.project.close()
        self._open(settings)

    def _open(self, settings: str) -> None:
        (self.root / "tidemill.toml").write_text(f'name = "shop"\nthreads = 1\n{settings}')
        self.project = open_project(self.root, clock=Clock(now=lambda: self.now))

    def batch(self, rows: int = 600, *, flipped: float = 0.0, reviewed: bool = True, months: float = 0.0) -> None:
        """Customers arrive: a share of the labels that train is turned round."""
        self.batches += 1
        random = np.random.default_rng(self.batches)
        stayed = random.gamma(3.0, 8.0, rows).round(2) + months
        calls = random.poisson(2.0, rows)
        plan = random.choice(["basic", "plus", "pro"], rows)
        left = random.random(rows) < 1 / (1 + np.exp(-(1.2 - 0.15 * stayed + 0.9 * calls - 0.8 * (plan == "pro"))))
        judges = (np.arange(rows) % 3 == 0) & reviewed
        left = np.where(~judges & (random.random(rows) < flipped), ~left, left)
        lines = [f"{stayed[i]},{calls[i]},{plan[i]},{judges[i]},{left[i]}" for i in range(rows)]
        text = "\n".join(["months,calls,plan,reviewed,left", *lines]) + "\n"
        (self.root / f"batch{self.batches}.csv").write_text(text)

    def due(self, after: timedelta = timedelta()) -> list[Retrained]:
        """Carry out what is due, some time later."""
        self.now += after
        return self.project.retrain_due()

    def ask(self, cause: str = "quality", **evidence: object) -> bool:
        """Ask as the monitor does; whether that is an open request."""
        return self.project.request_retraining("churn", cause=cause, who="test", evidence=evidence) is not None

    def settle(self) -> None:
        """Let the version on trial become champion."""
        self.project.promote("churn")

    @property
    def versions(self) -> int:
        return int(self.project.model("churn").version)

    @property
    def champion(self) -> int | None:
        return self.project.status()[0].deployment.champion


@pytest.fixture(scope="session")
def _opened_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shops") / "shop"
    (root / "sql").mkdir(parents=True)
    (root / "sql" / "churn.sql").write_text(SQL)
    made = Shop(root=root)
    made.batch(2_400)
    assert made.project.run().status == "ok"
    made.project.deploy("churn")
    made.project.close()
    return root


@pytest.fixture
def shop(_opened_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop whose first version is champion: a copy of one, for making it takes seconds."""
    root = tmp_path / "shop"
    shutil.copytree(_opened_shop, root)
    monkeypatch.chdir(root)
    made = Shop(root=root, batches=1)
    yield made
    made.project.close()
