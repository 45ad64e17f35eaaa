"""One source that grows: a run reads from the greatest value on, through a filter around the query."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.runner.increments.conftest import FIRST, KEYED, Row, Shop, outcomes

from tidemill.core.errors import BindError, ContractError, OptionError, SourceError
from tidemill.project import open_project

SOURCE = "'orders.parquet'"
APPENDED = "incremental_by = 'at'"


def test_rows_from_the_watermark_on_are_merged_by_key(shop: Shop) -> None:
    shop.orders(source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    # The same time as the newest row, a newer one, and one that nobody looks for because it lies before.
    shop.deliver("orders.parquet", [(1, 99, 0), (2, 20, 1), (3, 30, 1), (2, 22, 2)])

    shop.run()

    assert shop.rows() == [(1, 10), (2, 22), (3, 30)]
    assert shop.history()[-1] == ("merge", 3, 2, 1, 0)
    shop.run(full_refresh=True)
    assert shop.rows() == [(1, 99), (2, 22), (3, 30)]


def test_old_row_groups_of_a_parquet_file_are_not_read_again(shop: Shop) -> None:
    shop.orders(source=SOURCE, columns="(at NOT NULL)")
    shop.deliver("orders.parquet", [(number, 1, number) for number in range(1000)])
    shop.run()
    path = shop.root / "orders.parquet"
    rows: list[Row] = [(number, 1, number) for number in range(1010)]
    shop.deliver("orders.parquet", rows)
    pq.write_table(pq.read_table(path), path, row_group_size=100)
    spoil_row_groups(path, count=9)  # reading one of them fails

    shop.run()

    assert shop.rows("SELECT count(*), max(id) FROM orders") == [(1010, 1009)]


def spoil_row_groups(path: Path, *, count: int) -> None:
    """Overwrite the pages of the first row groups."""
    meta = pq.ParquetFile(path).metadata
    first = meta.row_group(count).column(0)
    end = min(first.dictionary_page_offset or first.data_page_offset, first.data_page_offset)
    data = bytearray(path.read_bytes())
    data[4:end] = b"\xff" * (end - 4)
    path.write_bytes(bytes(data))


def test_fault_39_rows_from_before_the_watermark_are_found_as_far_as_lookback_reaches(shop: Shop) -> None:
    shop.orders(f"{KEYED}, lookback = '3 days'", source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, 0), (9, 90, 9)])
    shop.run()

    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 4), (7, 70, 7), (9, 90, 9)])
    shop.run()

    assert shop.rows() == [(1, 10), (7, 70), (9, 90)]
    assert shop.history()[-1] == ("merge", 3, 1, 0, 0)
    shop.deliver("orders.parquet", [(1, 10, 0), (9, 90, 9), (7, 70, 7)])
    assert outcomes(shop.run()) == {"orders": "unchanged"}


def test_fault_39_a_source_that_went_back_in_time_takes_nothing_away(shop: Shop) -> None:
    shop.orders(f"{KEYED}, lookback = '30 days'", source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 5)])
    shop.run()

    shop.deliver("orders.parquet", [(1, 10, 0), (2, 15, 3)])

    assert outcomes(shop.run()) == {"orders": "unchanged"}
    assert shop.rows() == [(1, 10), (2, 20)]


def test_without_a_key_rows_are_added_also_those_at_the_watermark_itself(shop: Shop) -> None:
    shop.orders(APPENDED, source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, 0), (1, 10, 0), (2, 20, 1)])
    shop.run()
    assert shop.rows() == [(1, 10), (1, 10), (2, 20)]

    # The second row of this time came later, and one row is there twice.
    shop.deliver("orders.parquet", [(2, 20, 1), (2, 20, 1), (3, 30, 1), (4, 40, 2)])
    shop.run()

    assert shop.rows() == [(1, 10), (1, 10), (2, 20), (2, 20), (3, 30), (4, 40)]
    assert shop.history()[-1] == ("merge", 6, 3, 0, 0)


def test_rows_without_a_time_are_taken_in_once_and_counted(shop: Shop) -> None:
    for options in (KEYED, APPENDED):
        shop.orders(options, source=SOURCE)
        shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, None)])
        report = shop.run()
        assert report.steps[0].warnings == (
            "1 rows have no at: each run reads such rows again; declare it NOT NULL to refuse them",
        )

        shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, None), (3, 30, None), (4, 40, 2)])
        shop.run()

        assert shop.rows() == [(1, 10), (2, 20), (3, 30), (4, 40)]


def test_a_source_without_new_rows_publishes_nothing_and_other_changes_still_reach_readers(shop: Shop) -> None:
    shop.orders(source=SOURCE)
    shop.write("CREATE TABLE priced AS SELECT o.id, f.v FROM orders AS o CROSS JOIN 'factor.csv' AS f", "priced")
    (shop.root / "factor.csv").write_text("v\n1\n")
    shop.deliver("orders.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("orders.parquet", [(1, 11, 0)], more=["x"])
    shop.orders(source="(SELECT id, amount, at FROM 'orders.parquet')")
    shop.run()
    shop.deliver("orders.parquet", [(1, 11, 0)])
    (shop.root / "factor.csv").write_text("v\n2\n")

    assert outcomes(shop.run()) == {"orders": "unchanged", "priced": "done"}

    assert shop.rows("SELECT v FROM priced") == [(2,)]
    assert shop.run().status == "nothing"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("query", "query changed: built whole"),
        ("options", "options changed: built whole"),
        ("view", "source is made anew: built whole"),
        ("full refresh", "source is made anew: built whole"),
    ],
)
def test_rows_of_two_statements_never_stand_in_one_table(shop: Shop, change: str, reason: str) -> None:
    shop.write(f"CREATE TABLE base OPTIONS ({APPENDED}) AS SELECT * FROM 'orders.parquet'", "base")
    shop.write("CREATE VIEW source AS SELECT * FROM base", "source")
    shop.orders(source="source")
    shop.deliver("orders.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 1)])
    assert shop.plan()["orders"][0] == "increment"
    if change == "query":
        shop.orders(source="source", more=" WHERE id > 0")
    elif change == "options":
        shop.orders(f"{KEYED}, deleted_when = 'amount < 0'", source="source")
    elif change == "view":
        shop.write("CREATE VIEW source AS SELECT * FROM base WHERE id > 0", "source")
    else:
        shop.run("base", full_refresh=True)

    assert shop.plan()["orders"] == ("build", reason)
    shop.run()

    assert shop.history()[-1][0] == "replace"
    assert shop.rows() == [(1, 10), (2, 20)]


def test_fault_26_columns_that_changed_upstream_are_named_and_the_old_version_stays(shop: Shop) -> None:
    shop.orders(source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, 0)])
    shop.run()
    table = pq.read_table(shop.root / "orders.parquet")
    renamed = table.rename_columns(["id", "price", "at"])
    retyped = table.set_column(0, "id", pa.array(["one"]))
    wider = table.append_column("tip", pa.array([1]))
    for changed, message in (
        (renamed, "missing: amount; new: price"),
        (retyped, "id was BIGINT, is VARCHAR"),
        (wider, "new: tip"),
    ):
        pq.write_table(changed, shop.root / "orders.parquet")
        error = shop.try_run().steps[0].error
        assert isinstance(error, SourceError)
        assert f"the columns of orders have changed upstream: {message}; the old version stays" == error.message
        assert shop.rows() == [(1, 10)]
    reordered = table.select(["at", "amount", "id"])
    pq.write_table(reordered, shop.root / "orders.parquet")
    assert outcomes(shop.run()) == {"orders": "unchanged"}


def test_new_columns_are_added_where_the_statement_says_so(shop: Shop) -> None:
    shop.orders(f"{KEYED}, on_schema_change = 'add_columns'", source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    shop.deliver("orders.parquet", [(2, 20, 1), (3, 30, 2)], tip=[5, 6])

    shop.run()

    assert shop.rows("SELECT id, tip FROM orders ORDER BY id") == [(1, None), (2, 5), (3, 6)]
    assert shop.rows("SELECT * FROM orders AT (VERSION => 1) WHERE id = 1") == [(1, 10, FIRST)]
    assert shop.verify() == []
    shop.deliver("orders.parquet", [(3, 30, 2)])
    error = shop.try_run().steps[0].error
    assert error is not None
    assert "missing: tip" in error.message


def test_checks_of_all_rows_are_asked_of_the_table_as_it_will_be(shop: Shop) -> None:
    columns = "(id BIGINT PRIMARY KEY, at NOT NULL, UNIQUE (amount), CHECK (sum(amount) <= 100), CHECK (amount > 0))"
    shop.orders(source=SOURCE, columns=columns)
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 60, 0)])
    shop.run()

    for rows, broken in (
        ([(3, 10, 1)], "UNIQUE"),  # the amount of a row from before
        ([(3, 70, 1)], "sum(amount) <= 100"),  # together with the rows from before
        ([(3, -1, 1)], "amount > 0"),
    ):
        shop.deliver("orders.parquet", rows)
        error = shop.try_run().steps[0].error
        assert isinstance(error, ContractError)
        assert broken in error.message
        assert shop.rows() == [(1, 10), (2, 60)]

    shop.deliver("orders.parquet", [(2, 10, 1), (1, 80, 1)])  # they change places: right only when the old ones go
    shop.run()
    assert shop.rows() == [(1, 80), (2, 10)]
    newest = "created_at = (SELECT max(created_at) FROM tidemill.checks)"
    assert len(shop.rows(f'SELECT "check" FROM tidemill.checks WHERE {newest}')) == 5


def test_values_of_other_kinds_make_watermarks(shop: Shop) -> None:
    shop.write(
        "CREATE TABLE orders OPTIONS (incremental_by = 'id', unique_key = ['id'], lookback = 1) AS "
        "SELECT id, amount FROM 'orders.parquet'",
        "orders",
    )
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 0)])
    shop.run()
    shop.deliver("orders.parquet", [(1, 11, 0), (2, 21, 0), (3, 30, 0)])

    shop.run()

    assert shop.rows() == [(1, 11), (2, 21), (3, 30)]
    assert shop.history()[-1] == ("merge", 3, 3, 2, 0)


def test_a_key_may_have_several_columns_with_odd_names(shop: Shop) -> None:
    shop.write(
        "CREATE TABLE orders OPTIONS (incremental_by = 'AT', unique_key = ['the \"key\"', 'Order'], "
        "deleted_when = 'amount < 0') AS "
        'SELECT id % 2 AS "the ""key""", id AS "order", amount, at FROM \'orders.parquet\'',
        "orders",
    )
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 0), (3, 30, 0)])
    shop.run()
    shop.deliver("orders.parquet", [(1, -1, 1), (2, 21, 1), (4, 40, 1)])

    shop.run()

    assert shop.rows('SELECT "order", amount FROM orders ORDER BY ALL') == [(2, 21), (3, 30), (4, 40)]
    assert shop.history()[-1] == ("merge", 3, 2, 1, 1)
    assert shop.verify() == []


def test_a_table_that_was_empty_takes_in_its_first_rows(shop: Shop) -> None:
    for options in (KEYED, APPENDED):
        shop.orders(options, source=SOURCE)
        shop.deliver("orders.parquet", [])
        shop.run()
        shop.deliver("orders.parquet", [(1, 10, 0)])
        assert shop.plan()["orders"] == ("increment", "orders.parquet changed; so far: no rows")

        shop.run()

        assert shop.rows() == [(1, 10)]


def test_infinity_and_nan_do_not_become_the_watermark(shop: Shop) -> None:
    shop.write(
        "CREATE TABLE orders OPTIONS (incremental_by = 'amount') AS SELECT id, amount FROM 'orders.parquet'", "orders"
    )
    shop.deliver("orders.parquet", [(1, 10, 0), (2, float("inf"), 0), (3, float("nan"), 0)])
    shop.run()
    shop.deliver("orders.parquet", [(2, float("inf"), 0), (3, float("nan"), 0), (4, 40, 0)])

    shop.run()

    assert shop.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (3,), (4,)]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ("incremental_by = 'When', unique_key = ['id']", BindError, "incremental_by names When"),
        ("incremental_by = 'at', unique_key = ['key']", BindError, "unique_key names key"),
        ("incremental_by = 'filename'", BindError, "needs a query that reads one set of files"),
        ("unique_key = ['id']", OptionError, "says nothing without INCREMENTAL_BY"),
        ("incremental_by = 'at', deleted_when = 'id > 1'", OptionError, "says nothing without UNIQUE_KEY"),
        (f"{KEYED}, deleted_when = 'idd > 1'", BindError, "idd"),
        (f"{KEYED}, deleted_when = 'sum(id) > 1'", BindError, "more than one row"),
        (f"{KEYED}, deleted_when = 'id >'", BindError, "cannot be read"),
        (f"{KEYED}, lookback = 'soon'", OptionError, "LOOKBACK does not take 'soon'"),
        (f"{KEYED}, lookback = -1", OptionError, "less than 0"),
        (f"{KEYED}, on_schema_change = 'ignore'", OptionError, "ON_SCHEMA_CHANGE"),
        ("incremental_by = 'list'", BindError, "of type BIGINT[]"),
    ],
)
def test_options_that_cannot_be_are_refused_at_their_place(
    shop: Shop, options: str, kind: type[Exception], message: str
) -> None:
    shop.write(
        f"CREATE TABLE orders OPTIONS (\n  {options}\n) AS SELECT *, [id] AS list FROM 'orders.parquet';", "orders"
    )
    shop.deliver("orders.parquet", [(1, 10, 0)])

    error = shop.try_run().steps[0].error

    assert isinstance(error, kind)
    assert message in error.message
    assert error.where is not None
    assert error.where.line == 2


def test_a_key_that_is_null_is_refused(shop: Shop) -> None:
    shop.write(
        "CREATE TABLE orders OPTIONS (incremental_by = 'at', unique_key = ['id']) AS "
        "SELECT nullif(id, 2) AS id, amount, at FROM 'orders.parquet'",
        "orders",
    )
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 1)])

    error = shop.try_run().steps[0].error

    assert isinstance(error, ContractError)
    assert "unique_key (id) is NULL in 1 rows" in error.message


def test_the_bigquery_dialect_has_the_same_options(shop: Shop) -> None:
    (shop.root / "tidemill.toml").write_text('name = "shop"\ndialect = "bigquery"\n')
    shop.write("LOAD DATA OVERWRITE src FROM FILES (format = 'PARQUET', uris = ['orders.parquet']);", "src")
    shop.write(
        "CREATE OR REPLACE TABLE orders OPTIONS (incremental_by = 'at', unique_key = ['id'], "
        "deleted_when = 'SAFE_CAST(amount AS INT64) < 0', description = 'all') AS "
        "SELECT id, amount, at FROM src",
        "orders",
    )
    shop.deliver("orders.parquet", [(1, 10, 0), (2, 20, 1)])
    with open_project(shop.root) as project:
        project.run()
        shop.deliver("orders.parquet", [(1, -1, 2), (3, 30, 2)])
        assert project.plan().work[1].action == "increment"
        assert project.run().status == "ok"
        assert project.sql("SELECT id FROM orders ORDER BY id").fetchall() == [(2,), (3,)]


def test_the_clock_says_nothing_of_what_is_new(shop: Shop) -> None:
    far = 1000 * 365
    shop.orders(source=SOURCE)
    shop.deliver("orders.parquet", [(1, 10, far)])
    shop.run()
    shop.deliver("orders.parquet", [(1, 10, far), (2, 20, far + 1)])

    shop.run()

    assert shop.rows() == [(1, 10), (2, 20)]
