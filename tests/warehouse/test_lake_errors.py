"""DuckDB's errors become Tidemill's: by who can mend them, with names, files and lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tidemill.core.errors import (
    BindError,
    DataError,
    NotFoundError,
    ParseError,
    SettingsError,
    SourceError,
    SpaceError,
    TidemillError,
    UnsupportedError,
)
from tidemill.testing.warehouse import put, stage
from tidemill.warehouse.duckdb.lake import Lake, open_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    root = tmp_path_factory.mktemp("errors")
    (root / "ragged.csv").write_text("a,b\n" + "".join(f"{i},2\n" for i in range(30_000)) + "1,2,3\n")
    (root / "latin.csv").write_bytes(b"a,b\n1,caf\xe9\n")
    (root / "noise.parquet").write_bytes(bytes(range(256)) * 3)
    (root / "empty.parquet").write_bytes(b"")
    (root / "numbers.csv").write_text("a\n1\n2\nthree\n")
    with closing(open_lake(root / ".tidemill", search_path=root)) as opened:
        put(opened, "customers", "SELECT 1 AS customer_id, 'x' AS region")
        put(opened, "sales.orders", "SELECT 1 AS order_id")
        yield opened


def failure(lake: Lake, sql: str) -> TidemillError:
    with lake.session() as session, pytest.raises(TidemillError) as caught:
        session.query(sql).read_all()
    return caught.value


def test_an_unknown_column_names_the_nearest_and_its_place(lake: Lake) -> None:
    error = failure(lake, "SELECT region,\n  customr_id\nFROM customers")

    assert isinstance(error, BindError)
    assert error.message == "there is no column customr_id"
    assert error.hint == "did you mean customer_id?"
    assert (error.facts["sql_line"], error.facts["sql_column"]) == (2, 3)


def test_the_place_is_right_behind_letters_of_several_bytes(lake: Lake) -> None:
    error = failure(lake, "SELECT 'é😀' AS e, nope FROM customers")

    assert error.facts["sql_column"] == 19


def test_the_place_is_right_when_the_query_is_kept_or_staged(lake: Lake) -> None:
    sql = "SELECT region,\n  customr_id\nFROM customers;"
    with lake.session() as session, pytest.raises(BindError) as kept:
        session.materialise(sql)
    with pytest.raises(BindError) as staged:
        stage(lake, "t", sql)

    for caught in (kept, staged):
        assert (caught.value.facts["sql_line"], caught.value.facts["sql_column"]) == (2, 3)


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("SELECT * FROM custmers", "there is no table custmers", "did you mean customers?"),
        ("SELECT * FROM sales.ordrs", "there is no table sales.ordrs", "did you mean sales.orders?"),
        ("SELECT lowerr('A')", "there is no function lowerr", "did you mean lower?"),
    ],
)
def test_unknown_names_come_with_a_guess(lake: Lake, sql: str, message: str, hint: str) -> None:
    error = failure(lake, sql)

    assert isinstance(error, BindError)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("PIVOT customers ON region USING sum(customer_id)", UnsupportedError, "PIVOT"),
        ("SELECT FROM WHERE", ParseError, "cannot read the query"),
        ("SELECT region FROM customers GROUP BY customer_id", BindError, "GROUP BY"),
        ("SELECT sum('a', 1)", BindError, "No function matches"),
        ("SELECT CAST('abc' AS INTEGER)", DataError, "abc"),
        ("SELECT CAST(1000 AS TINYINT)", DataError, "1000"),
        ("SELECT 9223372036854775807 + 1", DataError, "Overflow"),
        ("SELECT error('mine')", DataError, "mine"),
        ("SELECT * FROM customers AT (VERSION => 99)", NotFoundError, "99"),
        ("SELECT * FROM 'az://bucket/x.parquet'", UnsupportedError, "azure"),
        ("SELECT * FROM 'nowhere.csv'", SourceError, "nowhere.csv"),
        ("SELECT * FROM 'nowhere*.parquet'", SourceError, "nowhere"),
        ("SELECT * FROM 'noise.parquet'", SourceError, "noise.parquet"),
        ("SELECT * FROM 'empty.parquet'", SourceError, "empty.parquet"),
        ("SELECT * FROM read_csv('numbers.csv', columns = {'a': 'INTEGER'}, header = true)", SourceError, "three"),
    ],
)
def test_errors_have_the_class_of_who_can_mend_them(
    lake: Lake, sql: str, kind: type[TidemillError], words: str
) -> None:
    error = failure(lake, sql)

    assert type(error) is kind
    assert words in error.message


def test_a_ragged_csv_is_named_with_its_line(lake: Lake) -> None:
    error = failure(lake, "SELECT * FROM 'ragged.csv'")

    assert isinstance(error, SourceError)
    assert error.facts["line"] == 30_002 or error.facts["line"] == 30_001 + 1
    assert str(error.facts["file"]).endswith("ragged.csv")
    assert "Expected Number of Columns: 2 Found: 3" in error.message


def test_a_csv_that_is_not_utf8_says_what_to_do(lake: Lake) -> None:
    error = failure(lake, "SELECT * FROM 'latin.csv'")

    assert isinstance(error, SourceError)
    assert "latin.csv" in error.message
    assert "UTF-8" in error.hint


def test_no_message_names_the_engine_s_inner_names(lake: Lake) -> None:
    for sql in ("SELECT * FROM nope", "SELECT nope FROM customers", "SELECT * FROM sales.nope"):
        assert "tidemill_lake" not in failure(lake, sql).render()


def test_a_query_that_needs_too_much_memory_says_so(tmp_path: Path) -> None:
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, memory_limit="30MB")) as lake:
        error = failure(lake, "SELECT length(string_agg(repeat('x', 100000), '')) FROM range(10000)")

    assert isinstance(error, SpaceError)
    assert "memory" in error.message


def test_wrong_engine_settings_are_settings_errors(tmp_path: Path) -> None:
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, memory_limit="lots")) as lake:
        assert isinstance(failure(lake, "SELECT 1"), SettingsError)


def test_python_variables_are_not_tables(lake: Lake) -> None:
    import pyarrow as pa

    secret = pa.table({"a": [1]})

    assert "no table secret" in failure(lake, "SELECT * FROM secret").message
    assert secret.num_rows == 1


def test_a_file_of_the_current_folder_is_not_mistaken_for_the_projects(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numbers.csv").write_text("a\n9\n")
    monkeypatch.chdir(tmp_path)

    error = failure(lake, "SELECT * FROM 'numbers.csv'")

    assert isinstance(error, SourceError)
    assert "current folder" in error.message


@pytest.mark.parametrize("name", ["temp.t", "TIDEMILL.t", "a.b.c", "a.", "", "tidemill_writer.t"])
def test_names_that_no_table_can_have_are_refused_before_any_work(lake: Lake, name: str) -> None:
    with pytest.raises(BindError):
        stage(lake, name, "SELECT 1 AS a")
