"""Delimited files read as they were meant: encodings, delimiters, quotes, headers, types, bad rows."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tidemill.core.errors import SourceError
from tidemill.sources.bad_rows import BadRowsError
from tidemill.sources.delimited import read as delimited_read
from tidemill.sources.delimited import survey
from tidemill.sources.delimited.read import DelimitedRead
from tidemill.sources.delimited.request import request_of
from tidemill.sources.files import Reader

Open = Callable[..., DelimitedRead]


@pytest.fixture
def opened(reader: Reader, tmp_path: Path) -> Open:
    """Open files of the given bytes, by name, or files that are there."""

    def open_(*files: bytes | str | Path, name: str = "x.csv", limit: int = 0, **options: Any) -> DelimitedRead:
        paths: list[Path] = []
        for number, data in enumerate(files):
            path = data if isinstance(data, Path) else tmp_path / (f"{number}_{name}" if number else name)
            if not isinstance(data, Path):
                path.write_bytes(data.encode() if isinstance(data, str) else data)
            paths.append(path)
        request = request_of(options)
        assert request is not None
        scratch = tmp_path / "scratch"
        shown = [(path, path.name) for path in paths]
        return DelimitedRead(shown, request, reader, scratch=lambda: scratch, max_bad_rows=limit)

    return open_


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as large: its types are told from the first rows."""
    monkeypatch.setattr(delimited_read, "SMALL_BYTES", 0)
    monkeypatch.setattr(delimited_read, "SAMPLE_ROWS", 3)


def table(reader: Reader, read: DelimitedRead) -> pa.Table:
    return reader.query(read.sql()).read_all()


def bad(read: DelimitedRead) -> list[tuple[int, str, str]]:
    return [(row.line, row.reason, row.raw) for row in read.bad_rows]


def test_ragged_rows_are_told_with_their_lines_and_nothing_is_loaded(opened: Open) -> None:
    with pytest.raises(BadRowsError) as caught:
        opened("a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert "line 3 of x.csv: it has 1 field, the header has 2" in caught.value.message
    assert (caught.value.where and caught.value.where.line, len(caught.value.rows)) == (3, 2)


def test_ragged_rows_are_kept_apart_when_they_may_be(opened: Open, reader: Reader) -> None:
    read = opened("a,b\n1,2\n3\n4,5,6\n7,8\n", limit=2)
    assert table(reader, read).to_pylist() == [{"a": 1, "b": 2}, {"a": 7, "b": 8}]
    assert bad(read) == [
        (3, "it has 1 field, the header has 2", "3"),
        (4, "it has 3 fields, the header has 2", "4,5,6"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "rows"),
    [
        ('a,b\n1,"hello\n2,x\n3,"ok"\n4,"y"\n5,z\n', 2, [2, 3, 4, 5]),
        ('a,b\n1,"x"\n2,"hello\n3,x\n4,"ok"\n5,z\n', 3, [1, 3, 4, 5]),
        ('a,b\n1,"x"\n2,"y"z\n3,"w, v"\n', 3, [1, 3]),
    ],
)
def test_a_stray_quote_costs_its_own_row_and_no_other(
    opened: Open, reader: Reader, text: str, line: int, rows: list[int]
) -> None:
    read = opened(text, limit=1)
    assert table(reader, read)["a"].to_pylist() == rows
    assert [row[0] for row in bad(read)] == [line]


def test_a_quote_that_would_make_one_row_of_two_is_told(opened: Open, reader: Reader) -> None:
    read = opened('a,b\n1,"x"\n2,"hello\n3,y"\n4,"z, w"\n5,"v"\n', limit=1)
    assert table(reader, read)["a"].to_pylist() == [1, 4, 5]
    assert bad(read)[0][1] == "a quote opened here is closed on line 4: 2 rows would become one"


def test_quotes_inside_of_texts_swallow_no_row(opened: Open, reader: Reader) -> None:
    read = opened('ham\the said "x\nham\tno"\nspam\tz\n', name="x.tsv")
    assert table(reader, read).num_rows == 2
    assert "quote marks belong to the text" in read.notes[-1]


def test_values_of_several_lines_stay_whole(opened: Open, reader: Reader) -> None:
    read = opened('a,b\n1,"two\nlines"\n2,"z, ""q"" y"\n')
    assert table(reader, read)["b"].to_pylist() == ["two\nlines", 'z, "q" y']


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("a,b\n1,é\n".encode("utf-8-sig"), ""),
        ("a,b\n1,é\n".encode("utf-16"), "UTF-16"),
        ("a,b\n1,é\n".encode("utf-16-le"), "UTF-16-LE"),
        ("a,b\n1,é\n".encode("latin-1"), "Latin-1"),
        ("a,b\r\n1,é\r\n".encode("latin-1"), "Latin-1"),
    ],
)
def test_encodings_are_found_and_said(opened: Open, reader: Reader, data: bytes, note: str) -> None:
    read = opened(data)
    assert table(reader, read).to_pylist() == [{"a": 1, "b": "é"}]
    assert (note in read.notes[0]) if note else not read.notes


def test_letters_that_only_windows_1252_has_say_so(opened: Open, reader: Reader) -> None:
    read = opened("a,b\n1,“é”\n".encode("cp1252"))
    assert table(reader, read)["b"].to_pylist() == ["“é”"]
    assert "Windows-1252" in read.notes[0]


def test_an_encoding_that_bytes_do_not_tell_is_refused_and_may_be_said(opened: Open, reader: Reader) -> None:
    data = "a,b\n1,Ź\n2,Ť\n".encode("cp1250")
    with pytest.raises(SourceError, match="neither UTF-8 nor Windows-1252"):
        opened(data)
    assert table(reader, opened(data, encoding="cp1250"))["b"].to_pylist() == ["Ź", "Ť"]
    with pytest.raises(SourceError, match="no encoding klingon"):
        opened(data, encoding="klingon")


def test_lines_in_a_second_encoding_are_bad_rows(opened: Open, reader: Reader) -> None:
    read = opened("a,b\n1,é\n2,ü\n3,".encode() + b"\xe9\n4,x\n", limit=1)
    assert table(reader, read)["a"].to_pylist() == [1, 2, 4]
    assert bad(read) == [(4, "its byte 0xe9 is not UTF-8: the file has two encodings", "3,\\xe9")]
    read = opened("a,b\n1,é\n2,ü\n".encode("latin-1") + "3,é\n".encode(), limit=1)
    assert bad(read)[0][:2] == (4, "it is UTF-8 in a file that is latin-1: the file has two encodings")


def test_files_of_one_pattern_may_have_their_own_encodings_and_delimiters(opened: Open, reader: Reader) -> None:
    read = opened("a,b\n1,é\n", "b;a\nü;2\n".encode("latin-1"))
    assert table(reader, read).to_pylist() == [{"a": 1, "b": "é"}, {"a": 2, "b": "ü"}]


def test_files_of_one_pattern_with_other_columns_are_refused_with_the_difference(opened: Open, reader: Reader) -> None:
    with pytest.raises(SourceError, match="1_x.csv has no b and has c besides, compared with x.csv"):
        opened("a,b\n1,2\n", "a,c\n1,2\n")
    read = opened("a,b\n1,2\n", "a,c\n1,2\n", union_by_name=True)
    assert table(reader, read).column_names == ["a", "b", "c"]


def test_a_nul_byte_makes_its_row_bad(opened: Open, reader: Reader) -> None:
    read = opened(b"a,b\n1,x\n2,c\0d\n3,y\n", limit=1)
    assert table(reader, read)["a"].to_pylist() == [1, 3]
    assert bad(read) == [(3, "it has a NUL byte", "2,c\\0d")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_kind_of_line_end_is_read(opened: Open, reader: Reader, end: str) -> None:
    assert table(reader, opened(f"a,b{end}1,x{end}2,y{end}"))["a"].to_pylist() == [1, 2]


def test_two_kinds_of_line_ends_lose_no_row(opened: Open, reader: Reader) -> None:
    read = opened("a,b\r\n1,x\n2,y\r\n3,z\n")
    assert table(reader, read)["b"].to_pylist() == ["x", "y", "z"]


def test_an_empty_file_is_refused_and_among_others_it_is_said(opened: Open, reader: Reader) -> None:
    with pytest.raises(SourceError, match="x.csv is empty"):
        opened("")
    read = opened("", "a,b\n1,2\n")
    assert table(reader, read).num_rows == 1
    assert read.notes == ("x.csv is empty: no rows come from it",)


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("a,b\n", ["a", "b"], 0),
        ("a\n1\n2\n", ["a"], 2),
        ("text\nhello, world\nbye, moon, sun\nplain\nnone\n", ["text"], 4),
        ("1,2\n3,4\n", ["column0", "column1"], 2),
        (",b\n0,2\n1,4\n", ["column0", "b"], 2),
    ],
)
def test_headers_are_told_from_rows(opened: Open, reader: Reader, text: str, columns: list[str], rows: int) -> None:
    found = table(reader, opened(text))
    assert (found.column_names, found.num_rows) == (columns, rows)


@pytest.mark.parametrize("header", ["a,a", "a,A"])
def test_two_columns_of_one_name_are_refused(opened: Open, header: str) -> None:
    with pytest.raises(SourceError, match="two columns named a"):
        opened(f"{header}\n1,2\n")


def test_a_title_above_the_header_is_told(opened: Open, reader: Reader) -> None:
    text = "Report of May\n\na,b\n1,2\n3,4\n5,6\n"
    with pytest.raises(SourceError) as caught:
        opened(text)
    assert "skip = 2" in caught.value.hint
    assert table(reader, opened(text, skip=2))["a"].to_pylist() == [1, 3, 5]


TYPES = {
    "00501,10001": ("string", ["00501", "10001"]),
    "9007199254740993,5": ("int64", [9007199254740993, 5]),
    "18446744073709551615,1": ("uint64", [18446744073709551615, 1]),
    "340282366920938463463374607431768211455,1": ("string", ["340282366920938463463374607431768211455", "1"]),
    "9007199254740993,0.5": ("decimal128(38, 1)", [Decimal("9007199254740993.0"), Decimal("0.5")]),
    "12345678901234.56789,1.5": ("decimal128(38, 5)", [Decimal("12345678901234.56789"), Decimal("1.50000")]),
    "0.12345678901234567890,-1.5": (
        "decimal128(38, 20)",
        [Decimal("0.12345678901234567890"), Decimal("-1.50000000000000000000")],
    ),
    "9.123456789012345,1": ("decimal128(38, 15)", [Decimal("9.123456789012345"), Decimal("1.000000000000000")]),
    # What programs write of a DOUBLE, shortest, with 17 and with 20 digits: nothing is lost of it as DOUBLE.
    "0.30000000000000004,-0.1": ("double", [0.30000000000000004, -0.1]),
    "0.10000000000000001,+1.00000000000000000000": ("double", [0.1, 1.0]),
    "0.10000000000000000555,.2": ("double", [0.1, 0.2]),
    "1.000000000000000056e-01,0.5": ("double", [0.1, 0.5]),
    "1,1.5": ("double", [1.0, 1.5]),
    "1e300,1.5": ("double", [1e300, 1.5]),
    "03/04/2020,05/06/2020": ("string", ["03/04/2020", "05/06/2020"]),
    "13/04/2020,04/13/2020": ("string", ["13/04/2020", "04/13/2020"]),
    "2020-01-02T10:00:00Z,2020-01-02 10:00:00": ("string", ["2020-01-02T10:00:00Z", "2020-01-02 10:00:00"]),
    "=cmd(),x": ("string", ["=cmd()", "x"]),
}


@pytest.mark.parametrize(("cells", "expected"), TYPES.items())
def test_types_lose_nothing_of_a_cell(
    opened: Open, reader: Reader, cells: str, expected: tuple[str, list[Any]]
) -> None:
    found = table(reader, opened("k,v\n" + "".join(f"n,{cell}\n" for cell in cells.split(","))))
    assert (str(found.schema.field("v").type), found["v"].to_pylist()) == expected


def test_fractions_of_more_digits_than_any_type_has_are_rounded_and_that_is_said(opened: Open, reader: Reader) -> None:
    read = opened("k,v\nn,0.1234567890123456789012345678901234567891\n")
    assert table(reader, read)["v"].to_pylist() == [0.12345678901234568]
    assert read.notes == ("column v is DOUBLE, which rounds its fractions of more than 17 digits",)


def test_dates_that_tell_day_from_month_are_dates_and_the_reading_is_said(opened: Open, reader: Reader) -> None:
    read = opened("k,d\nx,13/04/2020\ny,02/03/2021\n")
    assert [str(day) for day in table(reader, read)["d"].to_pylist()] == ["2020-04-13", "2021-03-02"]
    assert read.notes == ("column d has dates written %d/%m/%Y, such as 13/04/2020",)


LATER = {
    "1.5": ("double", 1.5),
    "007": ("string", "007"),
    "x": ("string", "x"),
    "9223372036854775808": ("uint64", 9223372036854775808),
}


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(("later", "expected"), LATER.items())
def test_a_type_that_the_first_rows_promised_gives_way_to_a_later_cell(
    opened: Open, reader: Reader, later: str, expected: tuple[str, Any]
) -> None:
    read = opened("k,v\n" + "n,1\n" * 50 + f"n,{later}\n")
    with pytest.raises(Exception, match="found types: column v is BIGINT") as caught:
        table(reader, read)
    assert read.may_mend(caught.value)  # type: ignore[arg-type]
    read.look_closer()
    found = table(reader, read)
    assert (str(found.schema.field("v").type), found["v"].to_pylist()[-1]) == expected


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("1.5", "9007199254740993"),
        ("9007199254740993.5", "1.25"),
        ("0.1234567890123456789", "0.12345678901234567891"),
        ("2020-01-02", "2020-01-03 10:00:00"),
        ("2020-01-02 10:00:00", "2020-01-02 10:00+02"),
    ],
)
def test_a_later_cell_is_never_rounded_or_cut(opened: Open, reader: Reader, first: str, later: str) -> None:
    read = opened("k,v\n" + f"n,{first}\n" * 50 + f"n,{later}\n")
    with pytest.raises(Exception, match="found types"):
        table(reader, read)
    read.look_closer()
    assert str(table(reader, read)["v"].to_pylist()[-1]).removesuffix(".0") in later


def test_a_cell_that_is_none_of_its_declared_type_makes_its_row_bad(opened: Open, reader: Reader) -> None:
    read = opened("a,b\n1,x\n1.5,y\n\nq,z\n4,\n", limit=2, types={"a": "INT"})
    assert table(reader, read)["a"].to_pylist() == [1, 4]
    assert bad(read) == [(3, "'1.5' is not INTEGER", "1.5,y"), (5, "'q' is not INTEGER", "q,z")]
    assert {row.column for row in read.bad_rows} == {"a"}


@pytest.mark.parametrize("length", [1_000_000, 5_000_000])
def test_a_very_long_line_is_read(opened: Open, reader: Reader, length: int) -> None:
    read = opened(b"a,b\n1," + b"y" * length + b"\n2,z\n")
    assert [len(text) for text in table(reader, read)["b"].to_pylist()] == [length, 1]


def test_compressed_files_are_read_and_cut_ones_refused(opened: Open, reader: Reader) -> None:
    data = b"a,b\n" + b"1,x\n" * 5_000
    packed = gzip.compress(data)
    assert table(reader, opened(packed, name="x.csv.gz")).num_rows == 5_000
    with pytest.raises(SourceError, match="is cut"):
        opened(packed[: len(packed) // 2], name="x.csv.gz")
    with pytest.raises(SourceError, match="is damaged"):
        opened(data, name="x.csv.gz")
    zstd = pa.Codec("zstd").compress(data).to_pybytes()
    assert table(reader, opened(zstd, name="x.csv.zst")).num_rows == 5_000
    with pytest.raises(SourceError, match="cannot be read"):
        opened(zstd[: len(zstd) // 2], name="x.csv.zst")


def test_a_file_that_is_no_text_is_refused(opened: Open) -> None:
    with pytest.raises(SourceError, match="begins as Parquet does"):
        opened(b"PAR1....")
    with pytest.raises(SourceError, match=r"begins as gzip does"):
        opened(gzip.compress(b"a,b\n"))


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"null_padding": True}, "a,b,c\n1,2\n1,2,3\n", [[1, 1], [2, 2], [None, 3]]),
        ({"decimal_separator": ","}, "a;b\n1,5;2\n2,5;3\n", [[1.5, 2.5], [2, 3]]),
        ({"nullstr": "NA"}, "a,b\nNA,2\n1,3\n", [[None, 1], [2, 3]]),
        ({"all_varchar": True}, "a,b\n1,2\n", [["1"], ["2"]]),
        ({"header": False}, "a,b\n1,2\n", [["a", "1"], ["b", "2"]]),
        ({"quote": "'"}, "a,b\n'x,y',1\n", [["x,y"], [1]]),
        ({"filename": True}, "a,b\n1,2\n", [[1], [2], ["x.csv"]]),
        ({"names": ["p", "q"], "skip": 1, "header": False}, "a,a\n1,2\n", [[1], [2]]),
    ],
)
def test_what_a_person_says_of_a_file_holds(
    opened: Open, reader: Reader, options: dict[str, Any], text: str, expected: list[list[Any]]
) -> None:
    found = table(reader, opened(text, **options))
    assert [column.to_pylist() for column in found.columns] == expected


def test_a_reader_told_what_only_the_engine_knows_is_left_to_it() -> None:
    assert request_of({"comment": "#"}) is None


def test_rows_keep_the_order_of_the_file(opened: Open, reader: Reader) -> None:
    lines = "".join(f"{number},{'yes' if number % 3 else 'no'}\n" for number in range(500_000))
    read = opened("id,flag\n" + lines)
    assert table(reader, read)["id"].to_pylist() == list(range(500_000))


REAL = {
    "messy/montreal_bikes_2012_latin1.csv": (310, 10),
    "messy/messy_IMDB_dataset.csv": (101, 12),
    "messy/BL-Flickr-Images-Book.csv": (8_287, 15),
    "sms_spam/sms.tsv": (5_574, 2),
    "beijing_pm25/pollution.csv": (43_824, 13),
}


@pytest.mark.parametrize(("name", "size"), REAL.items())
def test_real_messy_files_are_read_whole(
    opened: Open, reader: Reader, shared_data: Path, name: str, size: tuple[int, int]
) -> None:
    found = table(reader, opened(shared_data / name))
    assert (found.num_rows, found.num_columns) == size


def test_a_column_that_the_engine_alone_would_round_keeps_its_fractions(
    opened: Open, reader: Reader, shared_data: Path
) -> None:
    found = table(reader, opened(shared_data / "beijing_pm25" / "pollution.csv"))
    assert 14.66666667 in found["TEMP"].to_pylist()


@pytest.mark.parametrize("stray", ["", '"', '"",""', "\r", "\0", "\udce9"])
def test_what_a_file_holds_does_not_hang_on_where_its_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stray: str
) -> None:
    lines = [f"{number},some té\n" for number in range(4_000)]
    lines[3_000] = f"x,{stray}y\n"
    path = tmp_path / "x.csv"
    path.write_bytes("".join(lines).encode("utf-8", "surrogateescape"))
    whole = survey.survey_file(path)
    for size in (7, 1_000):
        monkeypatch.setattr(survey, "BLOCK", size)
        assert survey.survey_file(path) == whole
    assert whole.nul_line == (3_001 if stray == "\0" else 0)
    assert whole.odd_quotes == (stray == '"')


@pytest.mark.parametrize(
    ("text", "newline"),
    [("a\r\nb\r\n", "\r\n"), ("a\nb\r\nc\r\n", "mixed"), ("a\rb\r", "\r"), ("a\nb\n", "\n"), ("a\r\nb\n", "mixed")],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_line_ends_are_told_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, newline: str, size: int
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    monkeypatch.setattr(survey, "BLOCK", size)
    assert survey.survey_file(path).newline == newline


WRITTEN = {
    "13.04.2024": "2024-04-13",
    "13/04/2024": "2024-04-13",
    "04-13-2024": "2024-04-13",
    "2024-04-13": "2024-04-13",
    "2024/4/13": "2024-04-13",
}


@pytest.mark.parametrize(("cell", "day"), WRITTEN.items())
def test_a_declared_date_is_read_in_the_form_that_the_rows_tell_as_where_nothing_is_declared(
    opened: Open, reader: Reader, cell: str, day: str
) -> None:
    for types in ({}, {"d": "DATE"}):
        read = opened(f"k,d\nx,{cell}\ny,\n", types=types)
        assert [day and str(day) for day in table(reader, read)["d"].to_pylist()] == [day, None]


def test_declared_numbers_have_the_decimal_comma_that_is_said(opened: Open, reader: Reader) -> None:
    read = opened("a;b;c\n1,5;2;1,2\n2,5;3,5;1,2\n", types={"a": "DOUBLE", "b": "INT"}, decimal_separator=",", limit=1)
    assert table(reader, read).to_pylist() == [{"a": 1.5, "b": 2, "c": 1.2}]
    assert bad(read)[0][1] == "'3,5' is not INTEGER"


def test_a_cell_in_no_form_is_a_bad_row_among_declared_dates(opened: Open, reader: Reader) -> None:
    read = opened("k,d\nx,13.04.2024\ny,soon\nz,14.04.2024\n", types={"d": "DATE"}, limit=1)
    assert [str(day) for day in table(reader, read)["d"].to_pylist()] == ["2024-04-13", "2024-04-14"]
    assert bad(read) == [(3, "'soon' is not DATE written %d.%m.%Y", "y,soon")]


def test_a_time_is_not_cut_off_a_declared_date(opened: Open) -> None:
    with pytest.raises(BadRowsError):
        opened("k,d\nx,13.04.2024 10:00\n", types={"d": "DATE"})


@pytest.mark.parametrize(
    ("rows", "type_", "hint"),
    [
        ("01/02/2024\nx,03/04/2024", "DATE", "dateformat = '%d/%m/%Y' or '%m/%d/%Y'"),
        ("13/02/2024\nx,04/13/2024\nx,01/02/2024", "DATE", "declare it VARCHAR"),
        ("13 Feb 2024\nx,14 Mar 2024", "TIMESTAMP", "timestampformat = '"),
        ("a\nx,b\nx,1", "INTEGER", "most cells of d are not INTEGER"),
    ],
)
def test_where_most_rows_are_bad_it_is_not_offered_to_leave_them_out(
    opened: Open, rows: str, type_: str, hint: str
) -> None:
    with pytest.raises(BadRowsError) as caught:
        opened(f"k,d\nx,{rows}\n", types={"d": type_})
    assert hint in caught.value.hint
    assert "max_bad_rows" not in caught.value.hint
    assert caught.value.hiding(frozenset({"d"})).hint == caught.value.hint
