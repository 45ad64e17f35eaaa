from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.cli.output import as_table, as_vertical, plain, write_json
from tidemill.core.rows import rows_of_table
from tidemill.runner.result import Result


def _result(table: pa.Table) -> Result:
    return Result(rows_of_table(table))


@settings(deadline=None)  # the first example pays for imports
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.one_of(st.none(), st.text()), min_size=2), max_size=5))
def test_json_reads_back_as_the_rows_it_was(rows: list[dict[str, str | None]]) -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    stream = io.StringIO()
    write_json(_result(pa.Table.from_pylist(rows, schema=schema)), stream)
    assert json.loads(stream.getvalue()) == rows


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (Decimal("3"), 3),
        (Decimal("0.5"), 0.5),
        (b"\x00\xff", "AP8="),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 1, tzinfo=UTC), "2024-02-29T01:00:00+00:00"),
        (timedelta(minutes=1), 60.0),
        ([{"a": (1, None)}], [{"a": [1, None]}]),
    ],
)
def test_values_become_what_json_can_say(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_one_row_too_wide_for_the_terminal_stands_upright() -> None:
    table = pa.table({f"column_{number}": [number] for number in range(12)})
    lines = as_table(_result(table), width=40).split("\n")
    assert lines[0] == "column_0:  0"
    assert len(lines) == 12


def test_a_long_cell_of_an_upright_row_is_cut_to_the_terminal() -> None:
    table = pa.table({"name": ["island"], "category_weights": [[{"category": str(i), "weight": i} for i in range(99)]]})
    lines = as_table(_result(table), width=50).split("\n")
    assert [len(lines), len(lines[1])] == [2, 50]
    assert lines[1].endswith("…")


def test_long_lists_are_cut_where_no_terminal_is_and_texts_are_not() -> None:
    table = pa.table({"a": ["x" * 500], "b": [list(range(500))]})
    line = as_table(_result(table)).split("\n")[2]
    assert ("x" * 500 in line, line[-1], len(line)) == (True, "…", 662)


def test_vertical_rows_are_whole_and_numbered() -> None:
    table = pa.table({"a": [1, None], "long": ["x" * 500, "two\nlines"]})
    assert as_vertical(_result(table)).split("\n") == [
        "-- row 1",
        "a:    1",
        f"long: {'x' * 500}",
        "-- row 2",
        "a:    NULL",
        "long: two\\nlines",
    ]


def test_vertical_rows_say_when_there_are_none_or_more() -> None:
    assert as_vertical(_result(pa.table({"a": pa.array([], pa.int64())}))) == "(no rows)"
    assert as_vertical(_result(pa.table({"a": [1, 2]})), limit=1).split("\n")[1].startswith("... more than 1 row:")


def test_more_rows_too_wide_for_the_terminal_are_cut() -> None:
    table = pa.table({f"column_{number}": [number, number] for number in range(12)})
    *lines, note = as_table(_result(table), width=40).split("\n")
    assert max(map(len, lines)) == 40
    assert "--format vertical" in note or note.endswith("…")


def test_no_rows_are_said_under_the_header() -> None:
    assert as_table(_result(pa.table({"a": pa.array([], pa.int64())}))) == "a\n-\n(no rows)"
