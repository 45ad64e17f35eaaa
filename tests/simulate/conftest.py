"""A shop with forty days of visitors, whose deployment is replayed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tidemill.project import Project, open_project

BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - as the file has it
DAYS, A_DAY = 40, 60

SQL = """
CREATE TABLE visits AS SELECT * FROM 'visits.csv';
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT * EXCLUDE (seen_at) FROM visits;
"""
SETTINGS = """
name = "shop"

[deployments.buyers.rollout]
shadow_requests = 0
shares = []

[deployments.buyers.monitor]
window = "5 days"
max_age = ""
"""


def write_shop(root: Path) -> None:
    """From the twentieth day on many pages mean the opposite of what they meant."""
    random = np.random.default_rng(3)
    lines = ["seen_at,pages,country,bought"]
    for number in range(DAYS * A_DAY):
        at = BEGIN + timedelta(days=number / A_DAY)
        pages = int(random.poisson(5))
        country = str(random.choice(["NL", "DE"]))
        turned = -1 if number >= DAYS * A_DAY // 2 else 1
        bought = random.random() < 1 / (1 + np.exp(-turned * 1.5 * (pages - 5)))
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{pages},{country},{str(bool(bought)).lower()}")
    (root / "visits.csv").write_text("\n".join(lines) + "\n")
    (root / "tidemill.toml").write_text(SETTINGS)
    (root / "sql").mkdir()
    (root / "sql" / "all.sql").write_text(SQL)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("shop")
    write_shop(root)
    before = Path.cwd()
    os.chdir(root)
    try:
        with open_project(root) as project:
            assert project.run().status == "ok"
            project.deploy("buyers", override="a test's world", why="a test")
            yield project
    finally:
        os.chdir(before)
