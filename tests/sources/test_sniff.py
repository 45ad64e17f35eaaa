from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.names import name_key
from tidemill.sources.files import Reader
from tidemill.sources.scan import scan_file
from tidemill.sources.sniff import (
    ColumnProfile,
    TableProfile,
    looks_like_identifier,
    plain_names,
    sniff_table,
    sql_name,
)

WriteFile = Callable[[str, str], Path]


def _sniff(reader: Reader, path: Path) -> TableProfile:
    return sniff_table(reader, scan_file(reader, path))


def test_names_that_need_no_quotes_stay_as_they_are() -> None:
    assert plain_names(["customerID", "TotalCharges", "x_1"]) == ["customerID", "TotalCharges", "x_1"]


def test_one_odd_name_turns_all_into_one_style() -> None:
    assert plain_names(["studyName", "Body Mass (g)", "pm2.5", "#Passengers", "Brébeuf", "Is", "2nd", "Größe"]) == [
        "study_name",
        "body_mass_g",
        "pm2_5",
        "n_passengers",
        "brebeuf",
        "is_",
        "n_2nd",
        "grosse",
    ]


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8, unique_by=name_key))
def test_made_names_are_never_empty_and_never_alike(names: list[str]) -> None:
    made = plain_names(names)
    assert all(made)
    assert len({name_key(name) for name in made}) == len(names)


def test_a_reserved_word_is_quoted_and_a_plain_name_is_not() -> None:
    assert (sql_name("order"), sql_name("year"), sql_name("a b")) == ('"order"', "year", '"a b"')


def test_a_number_named_like_a_key_is_an_identifier() -> None:
    def column(name: str) -> ColumnProfile:
        return ColumnProfile(source=name, name=name, type="BIGINT", kind="number", rows=5)

    named = ["id", "customerID", "movie_id", "provider_number", "zip", "userid"]
    assert [name for name in named if not looks_like_identifier(column(name))] == []
    measured = ["paid", "number_of_rooms", "humid", "age", "valid", "num_dependents"]
    assert [name for name in measured if looks_like_identifier(column(name))] == []


def test_blanks_among_numbers_become_null_and_are_told(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("bills.csv", "id,total\n" + "".join(f"{n},{n}.5\n" for n in range(99)) + "99, \n")
    total = _sniff(reader, path).column("total")
    assert total is not None
    assert (total.type, total.nulls, total.expression) == ("DOUBLE", 1, "TRY_CAST(total AS DOUBLE)")
    assert "1 row is blank" in total.note


def test_a_few_odd_words_among_numbers_are_named(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("films.csv", "id,minutes\n" + "".join(f"{n},{n}\n" for n in range(99)) + "99,178c\n")
    minutes = _sniff(reader, path).column("minutes")
    assert minutes is not None
    assert minutes.kind == "number"
    assert "'178c'" in minutes.note


def test_numbers_with_marks_lose_them(reader: Reader, write_file: WriteFile) -> None:
    rows = "".join(f'"${n:,}.50",{n % 100} %\n' for n in range(900, 1100))
    table = _sniff(reader, write_file("money.csv", "price,share\n" + rows))
    assert [(column.type, column.low, column.high) for column in table.columns] == [
        ("DOUBLE", 900.5, 1099.5),
        ("DOUBLE", 0.0, 99.0),
    ]
    assert "marks" in table.columns[0].note


def test_leading_zeros_stay_text(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("codes.csv", "branch,people\n" + "".join(f"{n:05},{n}\n" for n in range(50)))
    branch = _sniff(reader, path).column("branch")
    assert branch is not None
    assert branch.type == "VARCHAR"


def test_months_written_as_text_become_dates(reader: Reader, write_file: WriteFile) -> None:
    months = "".join(f"{year}-{month:02},{year}\n" for year in range(1949, 1955) for month in range(1, 13))
    month = _sniff(reader, write_file("air.csv", "month,people\n" + months)).column("month")
    assert month is not None
    assert (month.type, month.rising) == ("DATE", True)
    assert "%Y-%m" in month.expression


@pytest.mark.parametrize(
    "cells",
    [
        ["01/01/2025", "02/01/2025", "03/01/2025"],  # the first days of January, or of three months
        ["13/01/25", "14/01/25"],  # the year 25
        ["1,234", "567", "12,345"],  # thousands, or fractions
    ],
)
def test_what_may_be_read_in_two_ways_stays_text(reader: Reader, write_file: WriteFile, cells: list[str]) -> None:
    path = write_file("t.csv", "k,v\n" + "".join(f'x,"{cell}"\n' for cell in cells))
    column = _sniff(reader, path).column("v")
    assert column is not None
    assert (column.type, column.expression, [value for value, _ in column.values]) == ("VARCHAR", "", sorted(cells))


def test_one_column_with_decimal_commas_tells_how_the_others_are_meant(reader: Reader, write_file: WriteFile) -> None:
    table = _sniff(reader, write_file("t.csv", "k;v\n1,5;1,234\n2,5;2,345\n"))
    assert [(column.type, column.high) for column in table.columns] == [("DOUBLE", 2.5), ("DOUBLE", 2.345)]


def test_a_column_is_counted_exactly(reader: Reader, write_file: WriteFile) -> None:
    table = _sniff(reader, write_file("t.csv", "n,x,flag\n" + "".join(f"{n},{n % 3},\n" for n in range(1, 31))))
    counter, remainder, flag = table.columns
    assert table.rows == 30
    assert (counter.is_counter, counter.is_unique, counter.low, counter.high) == (True, True, 1, 30)
    assert remainder.values == ((0, 10), (1, 10), (2, 10))
    assert (remainder.rising, remainder.is_unique) == (False, False)
    assert (flag.nulls, flag.distinct) == (30, 0)


def test_long_whole_numbers_are_not_rounded(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("edge.csv", f"id,v,w,x\n1,{2**63 - 1},{2**64 - 1},0.5\n2,{2**63},{2**64 + 1},1\n")
    table = _sniff(reader, path)
    assert [column.type for column in table.columns] == ["BIGINT", "UBIGINT", "DECIMAL(38,0)", "DOUBLE"]
    assert [value for value, _ in table.columns[1].values] == [2**63 - 1, 2**63]
    assert table.scan.sql("edge.csv") == "'edge.csv'"  # a run finds the same types


def test_long_whole_numbers_of_json_are_not_rounded(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("edge.ndjson", f'{{"id": {2**53 + 1}}}\n{{"id": {2**64 + 1}}}\n')
    table = _sniff(reader, path)
    assert [column.type for column in table.columns] == ["DECIMAL(38,0)"]
    assert table.columns[0].distinct == 2


def test_text_with_a_number_beyond_a_double_is_not_cast(reader: Reader, write_file: WriteFile) -> None:
    table = _sniff(reader, write_file("big.csv", "id,x\n1,2e400\n2,5\n3,7\n"))
    assert (table.columns[1].type, table.columns[1].expression) == ("VARCHAR", "")
