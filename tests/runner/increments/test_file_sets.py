"""Files are delivered into a folder: each is taken in once, whatever comes late, twice or in another order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from tests.runner.increments.conftest import KEYED, Row, Shop, outcomes

from tidemill.core.errors import ContractError, SourceError
from tidemill.runner.increments import files


def test_only_new_files_are_read_and_their_rows_take_the_place_of_old_ones(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 25, 2), (3, 30, 2)])

    assert shop.plan() == {"orders": ("increment", "data/*.parquet changed; so far: at 2026-01-02 00:00:00, 1 file")}
    shop.run()

    assert shop.rows() == [(1, 10), (2, 25), (3, 30)]
    assert shop.history() == [("replace", 2, 2, 0, 0), ("merge", 3, 2, 1, 0)]
    assert shop.rows("SELECT count(*) FROM orders AT (VERSION => 1)") == [(2,)]
    assert shop.verify() == []
    assert shop.run().status == "nothing"


def test_fault_39_a_partition_delivered_twice_changes_nothing_and_leaves_readers_alone(shop: Shop) -> None:
    shop.orders()
    shop.write("CREATE TABLE totals AS SELECT sum(amount) AS s FROM orders", "totals")
    shop.write("CREATE VIEW seen AS SELECT * FROM totals", "seen")
    rows: list[Row] = [(1, 10, 0), (2, 20, 1)]
    shop.deliver("data/a.parquet", rows)
    shop.run()

    shop.deliver("data/again.parquet", rows)
    report = shop.run()

    assert outcomes(report) == {"orders": "unchanged", "totals": "unchanged", "seen": "unchanged"}
    assert "same bytes as data/a.parquet" in report.steps[0].warnings[0]
    shop.deliver("data/rewritten.parquet", rows[::-1])  # other bytes, the same rows
    assert set(outcomes(shop.run()).values()) == {"unchanged"}
    assert shop.run().status == "nothing"
    assert len(shop.history()) == 1
    assert shop.rows() == [(1, 10), (2, 20)]


def test_fault_39_a_late_partition_is_taken_in_and_the_watermark_stays(shop: Shop) -> None:
    shop.orders("incremental_by = 'at'")
    shop.deliver("data/day5.parquet", [(5, 50, 5)])
    shop.run()

    shop.deliver("data/day1.parquet", [(1, 10, 1), (1, 10, 1)])
    shop.run()

    assert shop.rows() == [(1, 10), (1, 10), (5, 50)]
    shop.deliver("data/day2.parquet", [])
    assert "at 2026-01-06 00:00:00, 2 files" in shop.plan()["orders"][1]


def test_of_two_rows_with_one_key_the_newer_stays_in_whatever_order_they_come(shop: Shop) -> None:
    deliveries: list[list[Row]] = [
        [(1, 10, 0), (2, 20, 1)],
        [(1, 11, 3), (3, 30, 1)],
        [(2, 22, 5), (1, 12, 2), (2, 21, 4)],
        [(3, 33, 1), (3, 34, 6), (4, 40, 0)],
    ]
    order = [3, 1, 0, 2]
    shop.orders()
    for place, number in enumerate(order):
        shop.deliver(f"data/{place}.parquet", deliveries[number])
        shop.run()
        assert shop.verify() == []
    taken_in = shop.rows()

    shop.run(full_refresh=True)

    assert taken_in == shop.rows() == [(1, 11), (2, 22), (3, 34), (4, 40)]


def test_rows_of_one_key_and_time_that_differ_are_refused(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 20, 1), (2, 21, 1), (1, 10, 0), (1, 10, 0)])

    error = shop.try_run().steps[0].error

    assert isinstance(error, ContractError)
    assert "(id) differ with the same at, such as (id=2)" in error.message
    assert shop.rows() == [(1, 10)]


def test_a_later_delivery_that_says_otherwise_of_the_same_time_is_refused_as_a_build_of_all_is(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 3)])
    shop.run()
    shop.deliver("data/b.parquet", [(1, 11, 0), (3, 30, 4)])

    for full_refresh in (False, True):
        error = shop.try_run(full_refresh=full_refresh).steps[0].error
        assert isinstance(error, ContractError)
        assert "(id) differ with the same at, such as (id=1)" in error.message
        assert "leave all but one out" in error.hint
    assert shop.rows() == [(1, 10), (2, 20)]


def test_a_changed_file_is_merged_by_key_and_refused_without_one(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 21, 2), (3, 30, 2)])
    assert "data/a.parquet changed after it was loaded" in shop.run().steps[0].warnings[0]
    assert shop.rows() == [(1, 10), (2, 21), (3, 30)]

    shop.orders("incremental_by = 'at'")
    shop.run()
    shop.deliver("data/a.parquet", [(9, 90, 9)])
    error = shop.try_run().steps[0].error
    assert isinstance(error, SourceError)
    assert "tidemill run --full-refresh orders" in error.hint
    assert len(shop.rows()) == 3
    shop.run(full_refresh=True)
    assert shop.rows() == [(9, 90)]


def test_rows_of_a_file_that_is_gone_stay_and_that_is_said(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    (shop.root / "data" / "a.parquet").unlink()
    shop.deliver("data/b.parquet", [(2, 20, 1)])

    assert shop.run().steps[0].warnings == ("data/a.parquet is gone: the rows stay",)

    assert shop.rows() == [(1, 10), (2, 20)]


def test_what_is_said_of_a_file_is_said_once_for_each_change_of_it(shop: Shop) -> None:
    shop.orders()
    shop.write("CREATE TABLE other AS SELECT 1 AS a", "other")
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    said = []
    for rows in ([(2, 20, 1), (1, 10, 0)], [(2, 20, 1), (1, 10, 0), (1, 10, 0)]):  # other bytes, and nothing new
        shop.deliver("data/a.parquet", rows)
        said.append(shop.run().steps[0].warnings)
        shop.deliver(f"data/{len(said)}.parquet", [(1, 10, 0)] * len(said))
        said.append(shop.run().steps[0].warnings)

    changed = ("data/a.parquet changed after it was loaded: its rows are merged again",)
    assert said == [changed, (), changed, ()]


def test_rows_that_say_so_take_their_key_away(shop: Shop) -> None:
    shop.orders(f"{KEYED}, deleted_when = 'gone'")
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 0), (3, 30, 0)], gone=[False, False, True])
    shop.run()
    assert shop.rows() == [(1, 10), (2, 20)]

    shop.deliver("data/b.parquet", [(1, 0, 1), (7, 0, 1), (4, 40, 1)], gone=[True, True, None])
    shop.run()

    assert shop.rows() == [(2, 20), (4, 40)]
    assert shop.history()[-1] == ("merge", 2, 1, 0, 1)
    shop.deliver("data/c.parquet", [(8, 0, 1)], gone=[True])
    assert outcomes(shop.run()) == {"orders": "unchanged"}


def test_without_a_column_of_time_the_files_alone_tell_what_is_new(shop: Shop) -> None:
    shop.orders("incremental_by = 'filename', unique_key = ['id']")
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 21, 0)])

    assert shop.plan()["orders"][1] == "data/*.parquet changed; so far: 1 file"
    shop.run()

    assert shop.rows() == [(1, 10), (2, 21)]


def test_a_query_that_looks_at_several_rows_is_read_through_a_filter_instead(shop: Shop) -> None:
    days = "SELECT at, count(*) AS n FROM 'data/*.parquet' GROUP BY at"
    shop.write(f"CREATE TABLE days OPTIONS (incremental_by = 'at', unique_key = ['at']) AS {days}", "days")
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    shop.deliver("data/b.parquet", [(3, 30, 1), (4, 40, 2)])

    shop.run()

    assert shop.rows("SELECT n FROM days ORDER BY at") == [(1,), (2,), (1,)]


def test_csv_files_are_taken_in_with_the_types_of_the_table(shop: Shop) -> None:
    data = shop.root / "data"
    data.mkdir()
    shop.orders(source="'data/*.csv'")
    (data / "a.csv").write_text("id,amount,note,at\n1,1.5,7,2026-01-01\n")
    shop.run()
    (data / "b.csv").write_text("id,amount,note,at\n2,2,,2026-01-02\n")  # whole numbers, and a column of nothing

    shop.run()

    assert shop.rows("SELECT id, amount, note FROM orders ORDER BY id") == [(1, 1.5, 7), (2, 2.0, None)]


def test_files_with_short_and_long_fractions_go_into_one_table_and_none_is_rounded(shop: Shop) -> None:
    data = shop.root / "data"
    data.mkdir()
    shop.orders(source="'data/*.csv'")

    def deliver(name: str, amount: str) -> None:
        (data / f"{name}.csv").write_text(f"id,amount,at\n{ord(name)},{amount},2026-01-01\n")

    deliver("a", "12345678901234.56789")
    shop.run()
    deliver("b", "1.5")
    shop.run()
    deliver("c", "12345678901234.5670")
    shop.run()
    deliver("d", "12345678901234.567891")
    error = shop.try_run().steps[0].error

    assert error is not None
    assert "amount was DECIMAL(38,5), is DECIMAL(38,6)" in error.message
    found = shop.rows("SELECT CAST(amount AS VARCHAR) FROM orders ORDER BY id")
    assert found == [("12345678901234.56789",), ("1.50000",), ("12345678901234.56700",)]


def test_a_file_that_changes_while_it_is_read_is_not_taken_in(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 20, 1)])
    real = files.require_same

    def late(*arguments: object, **named: object) -> None:
        shop.deliver("data/b.parquet", [(2, 21, 1)])
        real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("tidemill.runner.increments.build.require_same", late)
    error = shop.try_run().steps[0].error
    monkeypatch.undo()

    assert error is not None
    assert "changed while being read" in error.message
    shop.run()
    assert shop.rows() == [(1, 10), (2, 21)]


def test_files_outside_the_project_are_found_by_their_whole_path(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere: Path = tmp_path_factory.mktemp("elsewhere")
    shop.orders(source=f"'{elsewhere}/*.parquet'")
    shop.deliver(f"{elsewhere}/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver(f"{elsewhere}/b.parquet", [(2, 20, 1)])
    shop.run()

    assert shop.rows() == [(1, 10), (2, 20)]


def test_a_cell_that_is_not_of_its_declared_type_is_a_bad_row_of_a_new_file_too(shop: Shop) -> None:
    def write(most: int) -> None:
        options = f"incremental_by = 'filename', max_bad_rows = {most}"
        shop.orders(options, columns="(id INT64, v INT64)", source="'data/*.csv'")

    write(0)
    (shop.root / "data").mkdir(exist_ok=True)
    (shop.root / "data" / "a.csv").write_text("id,v\n1,2\n")
    shop.run()
    (shop.root / "data" / "b.csv").write_text("id,v\n3,4\n5,eight\n")
    (step,) = shop.try_run().steps
    assert isinstance(step.error, SourceError)
    assert "line 3 of data/b.csv: 'eight' is not BIGINT" in step.error.message

    write(1)
    shop.run()
    assert shop.rows("SELECT id, v FROM orders ORDER BY id") == [(1, 2), (3, 4)]
    asked = "SELECT file, line, raw FROM tidemill.rejects"
    assert shop.rows(asked) == [("data/b.csv", 3, "5,eight")]

    (shop.root / "data" / "c.csv").write_text("id,v\n6,seven\n")
    shop.run()
    assert shop.rows(asked) == [("data/b.csv", 3, "5,eight"), ("data/c.csv", 2, "6,seven")]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("columns", ["", "(id BIGINT, amount DOUBLE, at TIMESTAMP)"])
def test_files_of_an_older_shape_have_null_in_the_columns_that_were_added(shop: Shop, kind: str, columns: str) -> None:
    def deliver(name: str, amount: float, **more: Sequence[str]) -> None:
        shop.deliver(f"data/{name}.parquet", [(ord(name), amount, ord(name))], **more)
        if kind == "csv":
            path = shop.root / "data" / f"{name}.parquet"
            csv.write_csv(pq.read_table(path), path.with_suffix(".csv"))
            path.unlink()

    shop.orders(f"{KEYED}, on_schema_change = 'add_columns'", source=f"'data/*.{kind}'", columns=columns)
    deliver("a", 1)
    shop.run()
    deliver("b", 2, note=["x"])
    shop.run()
    deliver("c", 3)
    report = shop.run()
    assert report.steps[0].warnings == (f"data/c.{kind} has no note: NULL there",)
    deliver("a", 4)
    shop.run()

    expected = [(4.0, None), (2.0, "x"), (3.0, None)]
    assert shop.rows("SELECT amount, note FROM orders ORDER BY id") == expected
    shop.run(full_refresh=True)
    assert shop.rows("SELECT amount, note FROM orders ORDER BY id") == expected
    assert shop.verify() == []


def test_a_file_that_lacks_a_declared_column_is_named(shop: Shop) -> None:
    shop.orders("incremental_by = 'filename'", columns="(id BIGINT, v BIGINT)", source="'data/*.csv'")
    (shop.root / "data").mkdir(exist_ok=True)
    (shop.root / "data" / "a.csv").write_text("id,v\n1,2\n")
    shop.run()
    (shop.root / "data" / "b.csv").write_text("id,value\n3,4\n")

    error = shop.try_run().steps[0].error

    assert error is not None
    assert "data/b.csv has no v, which the column list names, but id, value" in error.message
    assert shop.rows("SELECT id, v FROM orders") == [(1, 2)]


def test_a_column_that_may_have_got_another_name_is_not_filled_with_null(shop: Shop) -> None:
    shop.orders(f"{KEYED}, on_schema_change = 'add_columns'")
    shop.deliver("data/a.parquet", [(1, 10, 0)], note=["x"])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 20, 1)], remark=["y"])

    error = shop.try_run().steps[0].error

    assert error is not None
    assert "changed upstream in data/b.parquet: missing: note; new: remark" in error.message
    assert shop.rows() == [(1, 10)]
    shop.run(full_refresh=True)
    assert shop.rows("SELECT note, remark FROM orders ORDER BY id") == [("x", None), (None, "y")]
