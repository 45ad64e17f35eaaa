"""examples/chinook runs as its page says, on the real database."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tidemill.project import open_project

EXAMPLE = Path(__file__).parents[2] / "examples" / "chinook"


def test_the_example_builds_checked_tables_from_the_real_shop(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHINOOK", str(shared_data / "chinook" / "Chinook_Sqlite.sqlite"))
    shutil.copytree(EXAMPLE, tmp_path / "chinook")
    with open_project(tmp_path / "chinook") as project:
        report = project.run()
        assert report.status == "ok"
        # The figures that the SQLite shell gives on the same file.
        assert project.sql("SELECT count(*), sum(total)::VARCHAR FROM invoices").fetchall() == [(412, "2328.60")]
        assert project.sql("SELECT sum(amount)::VARCHAR FROM revenue WHERE genre = 'Rock'").fetchall() == [("826.65",)]
        assert not project.plan().changed


def test_a_sale_in_the_shop_is_taken_in_alone(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop.sqlite"
    shutil.copyfile(shared_data / "chinook" / "Chinook_Sqlite.sqlite", shop)
    monkeypatch.setenv("CHINOOK", str(shop))
    shutil.copytree(EXAMPLE, tmp_path / "chinook")
    with open_project(tmp_path / "chinook") as project:
        assert project.run().status == "ok"
        with sqlite3.connect(shop) as db:
            db.execute(
                "INSERT INTO Invoice (InvoiceId, CustomerId, InvoiceDate, BillingCountry, Total)"
                " VALUES (413, 2, '2025-12-23 00:00:00', 'Germany', 0.99)"
            )
            db.execute("INSERT INTO InvoiceLine VALUES (2241, 413, 1, 0.99, 1)")
        db.close()

        report = project.run()

        assert report.status == "ok"
        added = {step.asset: step.rows for step in report.steps if step.action == "increment"}
        assert added == {"invoices": 1, "invoice_lines": 1}
        assert project.sql("SELECT count(*), sum(total)::VARCHAR FROM invoices").fetchall() == [(413, "2329.59")]
        assert project.history("invoices")[0].watermark == "2025-12-23"
