from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill.core.errors import SourceError
from tidemill.sources.files import Reader, first_row, shown_path
from tidemill.sources.scan import scan_file

WriteFile = Callable[[str, str], Path]
PEOPLE = "".join(f"{number},Person {number}\n" for number in range(40))


def _rows(reader: Reader, path: Path) -> int:
    return int(first_row(reader, f"SELECT count(*) FROM {scan_file(reader, path).rows}")[0])


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
        scan_file(reader, write_file("book.ods", "x"))
    assert ".parquet" in caught.value.hint
    assert ".xlsx" in caught.value.hint


def test_two_columns_of_one_name_are_refused_with_their_place(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("twins.csv", "id,age,Age\n1,2,3\n4,5,6\n")
    with pytest.raises(SourceError, match="two columns named") as caught:
        scan_file(reader, path)
    assert caught.value.where is not None
    assert (caught.value.where.line, caught.value.where.column) == (1, 8)


def test_rows_that_do_not_fit_are_left_out_and_told_with_their_lines(reader: Reader, write_file: WriteFile) -> None:
    bad = ["1,2,3,4", "1", "1,2,3", "5,6,7"]
    path = write_file("ragged.csv", "a,b\n" + "1,2\n" * 30 + "\n".join(bad) + "\n" + "1,2\n" * 30)
    scan = scan_file(reader, path)
    assert first_row(reader, f"SELECT count(*), sum(b) FROM {scan.rows}") == (60, 120)
    assert scan.bad_count == 4
    (note,) = scan.notes
    assert note == (
        "4 bad rows are left out: line 32 of ragged.csv: it has 4 fields, the header has 2;"
        " line 33 of ragged.csv: it has 1 field, the header has 2;"
        " line 34 of ragged.csv: it has 3 fields, the header has 2; and 1 more"
    )


def test_a_bad_line_far_down_a_large_file_is_left_out_alone(reader: Reader, write_file: WriteFile) -> None:
    lines = "".join(f"{number},{number}.25\n" for number in range(300_000))
    scan = scan_file(reader, write_file("large.csv", "id,x\n" + lines + "7\n8,1.5\n"))
    assert first_row(reader, f"SELECT count(*) FROM {scan.rows}") == (300_001,)
    assert "line 300002 of large.csv" in scan.notes[0]


def test_text_in_sixteen_bits_is_read_by_its_mark(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes("city,count\n".encode("utf-16") + ("Orléans,1\n" * 20).encode("utf-16-le"))
    assert _rows(reader, path) == 20


def test_a_line_with_a_nul_byte_is_a_bad_row(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "binary.csv"
    path.write_bytes(b"a,b\n1,\x00\n2,3\n")
    assert "line 2 of binary.csv: it has a NUL byte" in scan_file(reader, path).notes[0]


def test_a_decimal_comma_makes_numbers(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("zahlen.csv", "id;wert\n" + "".join(f"{n};{n},5\n" for n in range(40)))
    scan = scan_file(reader, path)
    assert scan.options == (("decimal_separator", "','"),)
    assert first_row(reader, f"SELECT sum(wert) FROM {scan.rows}") == (800.0,)


def test_rows_that_end_early_are_filled_with_null(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("short.csv", "a;b;c\n" + "1;2;3\n" * 5 + "1;2\n" * 60)
    scan = scan_file(reader, path)
    assert "many rows end before column 3" in scan.notes[0]
    assert first_row(reader, f"SELECT count(*), count(c) FROM {scan.rows}") == (65, 5)


def test_latin_letters_are_found_and_read(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(("city,count\n" + "Orléans,1\nParis,2\n" * 20).encode("latin-1"))
    scan = scan_file(reader, path)
    assert "Latin-1 (line 2 is the first" in scan.notes[0]
    assert first_row(reader, f"SELECT count(*) FROM {scan.rows} WHERE city = 'Orléans'") == (20,)


def test_other_encodings_are_refused_with_their_line_and_a_way_out(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(b"name,count\nprice \x81,1\n")
    with pytest.raises(SourceError, match=r"as line 2 shows") as caught:
        scan_file(reader, path)
    assert "encoding = " in caught.value.hint


def test_words_for_a_missing_value_become_null_in_columns_of_numbers(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("gaps.csv", "id,mass\n" + "".join(f"{n},{n / 2}\n" for n in range(40)) + "41,unknown\n42,NA\n")
    scan = scan_file(reader, path)
    assert scan.options == (("nullstr", "['', 'NA', 'unknown']"),)
    assert "NA (1 cell)" in scan.notes[0]
    assert first_row(reader, f"SELECT count(mass), sum(mass) FROM {scan.rows}") == (40, 390.0)


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
    assert "has no header" in scan.notes[0]
    assert _rows(reader, path) == 60


def test_types_are_told_from_all_rows_when_the_first_mislead(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("late.csv", "value\n" + "1\n" * 30_000 + "1.5\n")
    scan = scan_file(reader, path)
    assert str(reader.schema(f"SELECT * FROM {scan.rows}").field("value").type) == "double"


def test_dates_written_day_first_say_so(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("dates.csv", "day,count\n" + "".join(f"{day:02}/01/2012,5\n" for day in range(1, 31)))
    scan = scan_file(reader, path)
    assert "dates written %d/%m/%Y" in scan.notes[0]


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
    assert len(scan.notes) >= 3
    assert not [note for note in scan.notes if re.search(r"\.$", note)]


def test_the_files_of_a_pattern_are_one_table(reader: Reader, write_file: WriteFile, tmp_path: Path) -> None:
    write_file("sales_1.csv", "id,amount\n1,2.5\n")
    write_file("sales_2.csv", "id;amount\n2;3\n")
    scan = scan_file(reader, tmp_path / "sales_*.csv")
    assert first_row(reader, f"SELECT count(*), sum(amount) FROM {scan.rows}") == (2, 5.5)
    assert scan.name == "sales_*.csv"


@pytest.mark.parametrize("name", ["back\\slash.csv", "x [1].csv", "back\\ [1].csv", "why?.csv", "a*b.csv", "it's.csv"])
def test_a_name_that_looks_like_a_pattern_is_that_file(reader: Reader, write_file: WriteFile, name: str) -> None:
    write_file("x 1.csv", "a\n9\n")
    write_file("whyx.csv", "a\n9\n")
    path = write_file(name, "a,b\n1,2\n3,4\n")
    assert first_row(reader, f"SELECT sum(b) FROM {scan_file(reader, path).rows}") == (6,)


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "ndjson", "jsonl.gz"])
def test_compressed_and_nested_kinds_are_read_as_a_run_reads_them(reader: Reader, tmp_path: Path, ending: str) -> None:
    import pyarrow as pa

    text = "id,x\n1,0.5\n2,1.5\n" if "csv" in ending else '{"id": 1, "x": 0.5}\nno json\n{"id": 2, "x": 1.5}\n'
    path = tmp_path / f"data.{ending}"
    with pa.output_stream(str(path), compression="detect") as out:
        out.write(text.encode())
    scan = scan_file(reader, path)
    assert first_row(reader, f"SELECT count(*), sum(x) FROM {scan.rows}") == (2, 2.0)
    assert scan.bad_count == ("json" in ending)


def test_a_sheet_is_read_below_its_title(reader: Reader, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["Sales of 2024"], ["id", "amount"], [1, 2.5], [2, 9007199254740994]):
        book.active.append(row)
    path = tmp_path / "x [1].xlsx"
    book.save(path)
    scan = scan_file(reader, path)
    assert first_row(reader, f"SELECT count(*), max(id) FROM {scan.rows}") == (2, 2)
    assert scan.sql("x.xlsx") == "read_xlsx('x.xlsx', sheet = 'Sheet', range = 'A2:B4')"
    assert [note for note in scan.notes if "column amount has numbers above 2^53" in note]


def test_lines_above_the_header_are_passed_over(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("report.csv", "Report of May\n\nid,amount\n" + "1,2\n" * 9)
    scan = scan_file(reader, path)
    assert scan.sql("report.csv") == "read_csv('report.csv', skip = 2)"
    assert first_row(reader, f"SELECT count(*), sum(amount) FROM {scan.rows}") == (9, 18)


def test_a_number_beyond_what_a_double_holds_is_text_and_not_infinity(reader: Reader, write_file: WriteFile) -> None:
    scan = scan_file(reader, write_file("big.csv", "id,x,y\n1,2e400,inf\n2,1.5,1\n"))
    assert first_row(reader, f"SELECT max(x), max(y) FROM {scan.rows}") == ("2e400", float("inf"))
    assert "column x stays text" in scan.notes[0]


def test_a_line_that_is_no_json_is_told_with_its_place_in_the_line(reader: Reader, write_file: WriteFile) -> None:
    path = write_file("x.ndjson", '{"a": 1}\n' * 4 + '{"a":\n')
    assert "line 5 of x.ndjson: it is not JSON: Expecting value at character 6" in scan_file(reader, path).notes[0]


def test_fractions_that_a_double_rounds_are_told_of_json(reader: Reader, write_file: WriteFile) -> None:
    rows = '{"a": 0.12345678901234567891, "b": 0.1, "c": 0.00012345678901234567}\n'
    assert scan_file(reader, write_file("x.ndjson", rows)).notes == (
        "column a is DOUBLE, which rounds its fractions of more than 17 digits",
    )
