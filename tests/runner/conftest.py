"""A small project on real stations: a CSV file, two tables, a model that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.project import Project, open_project
from tidemill.testing.control import postgresql  # noqa: F401 - a fixture

TABLES = """
CREATE TABLE visits (id PRIMARY KEY, pages NOT NULL, CHECK (pages >= 0)) AS
SELECT * FROM 'visits.csv';

CREATE TABLE features AS
SELECT id, pages, country, pages > 4 OR country = 'NL' AS bought FROM visits;
"""
MODEL = """
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT * EXCLUDE (id) FROM features;
"""


def write_visits(root: Path, rows: int = 600) -> None:
    """Write the file the project reads: ids, page counts, countries."""
    lines = [f"{i},{(i * 7) % 11},{('NL', 'DE', 'FR')[i % 3]}" for i in range(rows)]
    (root / "visits.csv").write_text("\n".join(["id,pages,country", *lines]) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project's folder."""
    (tmp_path / "tidemill.toml").write_text('name = "shop"\n')
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "tables.sql").write_text(TABLES)
    (tmp_path / "sql" / "model.sql").write_text(MODEL)
    write_visits(tmp_path)
    return tmp_path


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    """The project, opened."""
    with open_project(root) as opened:
        yield opened
