"""Tables of other databases that grow: only the new rows come over, where the database can be asked for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import psycopg
from tests.runner.increments.conftest import Shop, outcomes

from tidemill.project import open_project
from tidemill.testing.control import postgresql

__all__ = ["postgresql"]

GUARD = """
CREATE OR REPLACE FUNCTION seen(at timestamp) RETURNS boolean LANGUAGE plpgsql COST 100000 AS $$
BEGIN
  IF at < '{bound}' THEN RAISE EXCEPTION 'an old row was read'; END IF;
  RETURN true;
END $$
"""


def run_in(shop: Shop, work: Callable[[], None]) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """Change the source, run in the project as it is set up now, and give what became of it."""
    work()
    with open_project(shop.root) as project:
        report = project.run()
        assert report.status != "failed", [step.error for step in report.steps]
        return outcomes(report), project.sql("SELECT id, amount FROM orders ORDER BY id").fetchall()


def connect(shop: Shop, url: str) -> None:
    (shop.root / "tidemill.toml").write_text(f'name = "shop"\n[connections.crm]\nurl = "{url}"\n')


def test_postgresql_is_asked_for_the_new_rows_only(shop: Shop, postgresql: str) -> None:
    with psycopg.connect(postgresql, autocommit=True) as db:
        db.execute("CREATE SCHEMA increments")
        db.execute("SET search_path = increments")
        db.execute("CREATE TABLE orders (id bigint, amount float8, at timestamp)")
        db.execute(
            "INSERT INTO orders SELECT i, i, timestamp '2026-01-01' + i * interval '1 s' FROM generate_series(1, 500) i"
        )
        db.execute(GUARD.format(bound="1900-01-01").encode())
        db.execute("CREATE VIEW guarded AS SELECT * FROM orders WHERE increments.seen(at)")
        connect(shop, postgresql)
        shop.orders(source="crm.increments.guarded", columns="(at NOT NULL)")
        assert len(run_in(shop, lambda: None)[1]) == 500

        def change() -> None:
            db.execute(GUARD.format(bound="2026-01-01 00:08:20").encode())  # the newest row; older ones raise an error
            db.execute("INSERT INTO orders VALUES (7, 700, '2026-02-01'), (501, 501, '2026-02-01')")

        status, rows = run_in(shop, change)

    assert status == {"orders": "done"}
    assert len(rows) == 501
    assert rows[6] == (7, 700)


def test_sqlite_tables_are_merged_by_key_and_rest_when_nothing_is_new(shop: Shop) -> None:
    with sqlite3.connect(shop.root / "shop.db") as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, day DATE, gone BOOLEAN)")
        db.execute("INSERT INTO orders VALUES (1, 10, '2026-01-01', false), (2, 20, '2026-01-02', false)")
        db.commit()
        connect(shop, "sqlite:///shop.db")
        shop.orders(
            "incremental_by = 'day', unique_key = ['id'], lookback = '1 day', deleted_when = 'gone'",
            source="crm.orders",
        )
        assert run_in(shop, lambda: None)[1] == [(1, 10), (2, 20)]

        def change() -> None:
            db.execute("UPDATE orders SET gone = true, day = '2026-01-03' WHERE id = 1")
            db.execute("INSERT INTO orders VALUES (3, 30, '2026-01-01', false), (4, 40, '2026-01-03', false)")
            db.commit()

        assert run_in(shop, change) == ({"orders": "done"}, [(2, 20), (3, 30), (4, 40)])

        def touch() -> None:
            db.execute("UPDATE orders SET amount = 11 WHERE id = 1")
            db.commit()

        assert run_in(shop, touch) == ({"orders": "unchanged"}, [(2, 20), (3, 30), (4, 40)])
