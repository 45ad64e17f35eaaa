"""OPTIONS(...) of a table: what is taken, what is refused, and where the message points."""

from __future__ import annotations

import pytest

from tidemill.core.errors import OptionError
from tidemill.model_types.base import Option
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateTable
from tidemill.sql.table_options import STORAGE_OPTIONS, TABLE_OPTIONS, TableOptions, check_table_options


def options(text: str, dialect: str = "duckdb") -> TableOptions:
    (statement,) = parse_text(f"CREATE TABLE t OPTIONS ({text}) AS SELECT 1 AS a", file="t.sql", dialect=dialect)
    assert isinstance(statement, CreateTable)
    return check_table_options(statement)


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
def test_a_table_that_says_nothing_has_every_default(dialect: str) -> None:
    (statement,) = parse_text("CREATE TABLE t AS SELECT 1 AS a", file="t.sql", dialect=dialect)
    assert isinstance(statement, CreateTable)

    read = check_table_options(statement)

    assert (read.given, read.notes) == (frozenset(), ())
    assert dict(read.values) == {row.name.lower(): row.default for row in TABLE_OPTIONS if row.status == "supported"}


def test_an_unknown_option_names_the_nearest_and_points_at_the_name() -> None:
    with pytest.raises(OptionError, match="a table has no option DESCRIPTOIN") as caught:
        options("descriptoin = 'x'")

    assert "DESCRIPTION" in caught.value.hint
    where = caught.value.where
    assert where is not None
    assert where.text[where.column - 1 :].startswith("descriptoin")


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="DESCRIPTION is given twice"):
        options("description = 'a', DESCRIPTION = 'b'")


@pytest.mark.parametrize("row", STORAGE_OPTIONS, ids=lambda row: row.name)
def test_storage_options_of_bigquery_are_read_and_said_to_be_ignored(row: Option) -> None:
    assert [note.partition(":")[0] for note in options(f"{row.name} = 7", "bigquery").notes] == [row.name]
