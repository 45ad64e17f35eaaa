from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill.core.errors import SourceError
from tidemill.sources.encoding import first_bad_utf8_line
from tidemill.sources.files import Reader, first_row, shown_path
from tidemill.sources.scan import scan_file

WriteFile = Callable[[str, str], Path]
PEOPLE = "".join(f"{number},Person {number}\n" for number in range(40))


def _rows(reader: Reader, path: Path) -> int:
    return int(first_row(reader, f"SELECT count(*) FROM {scan_file(reader, path).sql()}")[0])


def test_a_plain_csv_file_is_read_by_its_name_alone(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("people.csv", "number,name\n" + PEOPLE)
    assert scan_file(reader, path).sql("people.csv") == "'people.csv'"


def test_a_quote_in_a_path_is_doubled(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("anna's.csv", "number,name\n" + PEOPLE)
    assert scan_file(reader, path).sql("anna's.csv") == "'anna''s.csv'"


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_not_there_is_named(reader: Reader, tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="does not exist|is a folder"):
        scan_file(reader, tmp_path / name)


def test_an_empty_file_is_refused(reader: Reader, write_file: WriteFile) -> None:
    with pytest.raises(SourceError, match="is empty"):
        scan_file(reader, write_file("empty.csv", ""))


def test_a_file_of_unknown_kind_lists_the_known_kinds(reader: Reader, write_file: WriteFile) -> None:
    with pytest.raises(SourceError) as caught:
        scan_file(reader, write_file("book.xlsx", "x"))
    assert ".parquet" in caught.value.hint


def test_two_columns_of_one_name_are_refused_with_their_place(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("twins.csv", "id,age,Age\n1,2,3\n4,5,6\n")
    with pytest.raises(SourceError, match="two columns named") as caught:
        scan_file(reader, path)
    assert caught.value.where is not None
    assert (caught.value.where.line, caught.value.where.column) == (1, 8)


def test_a_row_with_too_many_fields_is_refused_with_its_line(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("ragged.csv", "a,b\n" + "1,2\n" * 30 + "1,2,3,4\n" + "1,2\n" * 30)
    with pytest.raises(SourceError) as caught:
        scan_file(reader, path)
    assert caught.value.where is not None
    assert caught.value.where.line == 32


def test_one_row_that_ends_early_is_refused_with_its_line(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("ragged.csv", "a,b\n" + "1,2\n" * 30 + "1\n" + "1,2\n" * 30)
    with pytest.raises(SourceError, match="line 32 of ragged.csv has 1 fields"):
        scan_file(reader, path)


def test_text_in_sixteen_bits_is_read_by_its_mark(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes("city,count\n".encode("utf-16") + ("Orléans,1\n" * 20).encode("utf-16-le"))
    assert _rows(reader, path) == 20


def test_a_file_with_nul_bytes_is_no_text(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "binary.csv"
    path.write_bytes(b"a,b\n1,\x00\n")
    with pytest.raises(SourceError, match="NUL byte on line 2"):
        scan_file(reader, path)


def test_a_decimal_comma_makes_numbers(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("zahlen.csv", "id;wert\n" + "".join(f"{n};{n},5\n" for n in range(40)))
    scan = scan_file(reader, path)
    assert scan.options == (("decimal_separator", "','"),)
    assert first_row(reader, f"SELECT sum(wert) FROM {scan.sql()}") == (800.0,)


def test_rows_that_end_early_are_filled_with_null(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("short.csv", "a;b;c\n" + "1;2;3\n" * 5 + "1;2\n" * 60)
    scan = scan_file(reader, path)
    assert ("null_padding", "true") in scan.options
    assert first_row(reader, f"SELECT count(*), count(c) FROM {scan.sql()}") == (65, 5)


def test_latin_letters_are_found_and_read(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(("city,count\n" + "Orléans,1\nParis,2\n" * 20).encode("latin-1"))
    assert first_bad_utf8_line(path) == 2
    scan = scan_file(reader, path)
    assert scan.options[0] == ("encoding", "'latin-1'")
    assert first_row(reader, f"SELECT count(*) FROM {scan.sql()} WHERE city = 'Orléans'") == (20,)


def test_other_encodings_are_refused_with_their_byte_and_a_way_out(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "windows.csv"
    path.write_bytes(b"name,count\nprice \x80,1\n")
    with pytest.raises(SourceError, match=r"byte 0x80 on line 2") as caught:
        scan_file(reader, path)
    assert "iconv" in caught.value.hint


def test_words_for_a_missing_value_become_null_in_columns_of_numbers(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("gaps.csv", "id,mass\n" + "".join(f"{n},{n / 2}\n" for n in range(40)) + "41,unknown\n42,NA\n")
    scan = scan_file(reader, path)
    assert scan.options == (("nullstr", "['', 'NA', 'unknown']"),)
    assert "NA (1 cell)" in scan.notes[0]
    assert first_row(reader, f"SELECT count(mass), sum(mass) FROM {scan.sql()}") == (40, 390.0)


def test_a_column_of_country_codes_keeps_namibia(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("countries.csv", "country,people\n" + "DE,83\nNA,3\nFR,68\n" * 20)
    assert scan_file(reader, path).options == ()


def test_quote_marks_inside_a_text_swallow_no_rows(reader: Reader, write_file: WriteFile) -> None:
    lines = [f"ham\tmessage {number}" for number in range(300)]
    lines[7], lines[70] = 'ham\t"he said so', 'spam\twell" said'
    path = write_file("messages.tsv", "\n".join(["kind\ttext", *lines]) + "\n")
    assert _rows(reader, path) == 300


def test_a_quoted_field_may_hold_a_line_end(reader: Reader, write_file: WriteFile) -> None:
    rows = "".join(f'{number},"one\ntwo"\n' for number in range(50))
    assert _rows(reader, write_file("poems.csv", "id,text\n" + rows)) == 50


def test_a_file_without_a_header_keeps_its_first_row(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("bare.csv", "yes,old\nno,new\nyes,new\n" * 20)
    scan = scan_file(reader, path)
    assert ("header", "false") in scan.options
    assert _rows(reader, path) == 60


def test_types_are_told_from_all_rows_when_the_first_mislead(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("late.csv", "value\n" + "1\n" * 30_000 + "1.5\n")
    scan = scan_file(reader, path)
    assert ("sample_size", "-1") in scan.options
    assert str(reader.schema(f"SELECT * FROM {scan.sql()}").field("value").type) == "double"


def test_dates_written_day_first_say_so(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("dates.csv", "day,count\n" + "".join(f"{day:02}/01/2012,5\n" for day in range(1, 31)))
    scan = scan_file(reader, path)
    assert ("dateformat", "'%d/%m/%Y'") in scan.options


@pytest.mark.parametrize(
    ("file", "project", "shown"),
    [
        ("/home/a/work/data/x.csv", "/home/a/work/churn", "../data/x.csv"),
        ("/home/a/work/churn/data/x.csv", "/home/a/work/churn", "data/x.csv"),
        ("/srv/data/x.csv", "/home/a/work/churn", "/srv/data/x.csv"),
    ],
)
def test_a_path_is_relative_when_the_file_is_near(file: str, project: str, shown: str) -> None:
    assert shown_path(Path(file), Path(project)) == shown


def test_every_real_file_keeps_all_its_rows(reader: Reader, shared_data: Path) -> None:
    expected = {
        "telco_churn/Telco-Customer-Churn.csv": 7_043,
        "sms_spam/sms.tsv": 5_574,
        "penguins/penguins_raw.csv": 344,
    }
    found = {name: _rows(reader, shared_data / name) for name in expected}
    assert found == expected


def test_a_note_never_ends_in_a_full_stop(reader: Reader, shared_data: Path) -> None:
    scan = scan_file(reader, shared_data / "messy" / "montreal_bikes_2012_latin1.csv")
    assert len(scan.notes) == 3
    assert not [note for note in scan.notes if re.search(r"\.$", note)]
