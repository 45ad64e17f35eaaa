"""Types that Parquet lacks are stored exactly, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tidemill.core.errors import DataError
from tidemill.testing.warehouse import put, rows_of, stage
from tidemill.warehouse.duckdb.lake import Lake, open_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    root = tmp_path_factory.mktemp("types")
    with closing(open_lake(root / ".tidemill", search_path=root)) as opened:
        yield opened


STORED = [
    ("sum(i)", "DECIMAL(38,0)"),
    ("99999999999999999999999999999999999999::HUGEINT", "DECIMAL(38,0)"),
    ("5::UHUGEINT", "DECIMAL(38,0)"),
    ("'1234567890'::BIGNUM", "VARCHAR"),
    ("'a'::ENUM('a', 'b')", "VARCHAR"),
    ("['a'::ENUM('a', 'b')]", "VARCHAR[]"),
    ("'101'::BIT", "VARCHAR"),
    ("INTERVAL '1 month 1.000001 second'", "VARCHAR"),
    ("TIMETZ '12:00:00+02'", "VARCHAR"),
    ("TIMESTAMP_S '2020-01-01 00:00:00'", "TIMESTAMP"),
    ("TIMESTAMP_MS '2020-01-01 00:00:00.123'", "TIMESTAMP"),
    ("TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "TIMESTAMP_NS"),
    ("TIMESTAMPTZ '2020-01-01 00:00:00+00'", "TIMESTAMP WITH TIME ZONE"),
    ("DATE '0001-01-01'", "DATE"),
    ("[1.5, 2.5]::FLOAT[2]", "FLOAT[]"),
    ("{'a b': 1::HUGEINT, 'c': [TIMESTAMP_MS '2020-01-01 00:00:00.5']}", 'STRUCT("a b" DECIMAL(38,0), c TIMESTAMP[])'),
    ("MAP {'k': 1::HUGEINT}", "MAP(VARCHAR, DECIMAL(38,0))"),
    ("'00000000-0000-0000-0000-000000000001'::UUID", "UUID"),
    ("'{\"a\": 1}'::JSON", "JSON"),
    ("'\\xAA\\x00'::BLOB", "BLOB"),
    ("18446744073709551615::UBIGINT", "UBIGINT"),
    ("1.5::DECIMAL(38, 5)", "DECIMAL(38,5)"),
    ("NULL", "INTEGER"),
    ("[NULL]", "INTEGER[]"),
    ("'nan'::DOUBLE", "DOUBLE"),
    ("'é\U0001f600' || chr(0) || 'x'", "VARCHAR"),
]


@pytest.mark.parametrize(("expression", "kind"), STORED)
def test_a_value_read_back_is_the_value_that_was_computed(lake: Lake, expression: str, kind: str) -> None:
    sql = f"SELECT {expression} AS v FROM range(4) AS t(i)" + ("" if "sum(" in expression else " LIMIT 1")
    put(lake, "t", sql, run_id=f"run-{expression}")

    assert [column.type for column in lake.columns("t")] == [kind]
    with lake.session() as session:
        expected = rows_of(session, f"SELECT CAST(CAST(v AS {kind}) AS VARCHAR) AS v FROM ({sql})")
        assert rows_of(session, "SELECT CAST(v AS VARCHAR) AS v FROM t") == expected
        assert rows_of(session, "SELECT typeof(v) AS k FROM t") == [{"k": kind}]


@pytest.mark.parametrize(
    "expression", ["union_value(k := 1)", "[union_value(k := 1)]", "row(1, 2)", "1::VARIANT", "'POINT(1 1)'::GEOMETRY"]
)
def test_a_type_that_no_table_can_hold_is_refused_by_column(lake: Lake, expression: str) -> None:
    with pytest.raises(DataError, match="column v is of type") as caught:
        stage(lake, "refused", f"SELECT 1 AS a, {expression} AS v")

    assert caught.value.hint


def test_a_huge_number_that_does_not_fit_is_an_error_not_a_guess(lake: Lake) -> None:
    with pytest.raises(DataError):
        stage(lake, "refused", "SELECT 170141183460469231731687303715884105727::HUGEINT AS v")
