from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.cli.output import as_table, plain, write_json
from tidemill.core.rows import rows_of_table
from tidemill.runner.result import Result


def _result(table: pa.Table) -> Result:
    return Result(rows_of_table(table))


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
    assert lines[0] == " column_0  0"
    assert len(lines) == 12


def test_more_rows_too_wide_for_the_terminal_are_cut() -> None:
    table = pa.table({f"column_{number}": [number, number] for number in range(12)})
    assert max(len(line) for line in as_table(_result(table), width=40).split("\n")) == 40


def test_no_rows_are_said_under_the_header() -> None:
    assert as_table(_result(pa.table({"a": pa.array([], pa.int64())}))) == "a\n-\n(no rows)"
