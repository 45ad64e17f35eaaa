"""A whole erasure where PostgreSQL holds the control database."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.erase.world import ANN, BY_MAIL, NOT_ANN, Shop, make_shop, places_of

from tidemill.cli.main import run_command
from tidemill.project import open_project
from tidemill.testing.control import postgresql
from tidemill.warehouse.control.free_texts import FREE_TEXTS

__all__ = ["postgresql"]


def texts_in(url: str) -> str:
    """Every text of every table."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        assert set(FREE_TEXTS) <= {table for (table,) in tables}
        return " ".join(
            str(row) for (table,) in tables for row in connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
        ).replace(NOT_ANN[0], "")


def test_one_whole_erasure(
    postgresql: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "shop"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA erasing")
    url = f"{postgresql}?options=-csearch_path%3Derasing"
    monkeypatch.chdir(tmp_path)
    make_shop(root, more=f"control_url = '{url}'")
    monkeypatch.chdir(root)
    assert ANN in texts_in(url)

    assert run_command(["erase", BY_MAIL, "--yes", "--now"]) == 0

    assert ANN not in texts_in(url).replace(NOT_ANN[1], "")
    assert places_of(root) == []
    with open_project(root) as project:
        shop = Shop(root=root, project=project)
        assert [one.status for one in project.erasures()] == ["done"]
        assert [flag.version for flag in project.flagged()] == [1, 2]
        assert ANN not in shop.mails("people AT (VERSION => 2)")
        assert project.verify() == []
        assert project.erase_restored() == 0
