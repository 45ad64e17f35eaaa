"""One file on this machine, as SQL reads it: its format, its encoding, and the options its reader needs."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from tidemill.core.errors import SourceError, Where
from tidemill.core.names import name_key, quote_name

if TYPE_CHECKING:
    import pyarrow as pa

READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}

FEW_SHORT = 0.05
DELIMITERS = (",", ";", "\t", "|")

# Spellings of "no value" that are never a category of their own ...
MISSING = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?")
# ... and those that are when the rest of the column is text, but not when it is numbers.
MISSING_NUMBER = (*MISSING, "None", "none", "-", "--", ".", "missing", "unknown", "empty")


class Reader(Protocol):
    """What sniffing needs of a session: SQL in, rows out."""

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run a query."""

    def schema(self, sql: str) -> pa.Schema:
        """The columns of a query."""

    def materialise(self, sql: str) -> str:
        """Keep a result; returns the name to read it under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScan:
    """How SQL reads a file: the reader's options (name and SQL text of the value), and what is worth saying of them."""

    path: Path
    reader: str
    options: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def sql(self, path: str = "") -> str:
        """The relation: ``'file.csv'`` where that is enough, else a call of the reader."""
        shown = text_literal(path or str(self.path))
        bare = self.path.name.lower().endswith((".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson"))
        if not self.options and bare:
            return shown
        if len(self.options) < 3:
            return f"{self.reader}({', '.join([shown, *(f'{name} = {value}' for name, value in self.options)])})"
        lines = [shown, *(f"{name} = {value}" for name, value in self.options)]
        return f"{self.reader}(\n  " + ",\n  ".join(lines) + "\n)"

    def with_options(self, *options: tuple[str, str], note: str = "") -> FileScan:
        """The same scan with more options."""
        notes = (*self.notes, note) if note else self.notes
        return FileScan(path=self.path, reader=self.reader, options=(*self.options, *options), notes=notes)


def text_literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def first_row(reader: Reader, sql: str) -> tuple[Any, ...]:
    """The first row of a query that has one."""
    return next(iter(rows(reader, sql)))


def rows(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a small result as Python values."""
    table = reader.query(sql).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def scan_file(reader: Reader, path: Path) -> FileScan:
    """Look at a file and say how SQL reads all of it.

    Raises
    ------
    SourceError
        There is no such file, its kind is unknown, it is empty, or its rows do not fit one another.
    """
    name = path.name.lower()
    suffix = Path(name[:-3]).suffix if name.endswith(".gz") else Path(name).suffix
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise SourceError(f"{path} {what}", hint="give the path of a CSV or Parquet file")
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise SourceError(
            f"cannot tell what kind of file {path.name} is", hint=f"its name should end in one of {known}"
        )
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty", hint="give a file with at least one row")
    scan = FileScan(path=path.resolve(), reader=READERS[suffix])
    return _scan_csv(reader, scan) if scan.reader == "read_csv" else scan


def _scan_csv(reader: Reader, scan: FileScan) -> FileScan:
    line = first_bad_utf8_line(scan.path)
    if _begins_as_utf16(scan.path):
        scan = scan.with_options(("encoding", "'utf-16'"))
    elif line:
        _refuse_other_than_latin(scan.path)
        note = f"the file is not UTF-8 (first on line {line}): read as Latin-1, so look at its accented letters"
        scan = scan.with_options(("encoding", "'latin-1'"), note=note)
    scan = _with_header(reader, _with_shape(reader, scan))
    scan = _with_decimal_comma(reader, _with_missing(reader, scan))
    return _with_types(reader, scan)


def first_bad_utf8_line(path: Path) -> int:
    """The 1-based number of the first line that is not UTF-8; 0 when all are.

    Raises
    ------
    SourceError
        A byte is NUL, which no text has.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with _open_bytes(path) as file:
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return lines + error.object[: error.start].count(b"\n")
            if b"\0" in block:
                number = lines + block[: block.index(b"\0")].count(b"\n")
                raise SourceError(
                    f"{path.name} has a NUL byte on line {number}: it is no text file",
                    where=Where(file=path.name, line=number, column=1),
                    hint="write it anew as CSV in UTF-8",
                )
            lines += block.count(b"\n")
    return 0


def _begins_as_utf16(path: Path) -> bool:
    with _open_bytes(path) as file:
        return file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _refuse_other_than_latin(path: Path) -> None:
    """Latin-1 has no letters in bytes 80 to 9F: a file with those is in an encoding that is not told from its bytes."""
    with _open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            odd = re.search(rb"[\x80-\x9f]", line)
            if odd:
                raise SourceError(
                    f"{path.name} is neither UTF-8 nor Latin-1 text: byte 0x{odd[0].hex()} on line {number}",
                    where=Where(file=path.name, line=number, column=odd.start() + 1),
                    hint=f"save it as UTF-8, for instance: iconv -f CP1252 -t UTF-8 {path.name} > utf8.csv",
                )


def _open_text(scan: FileScan) -> IO[str]:
    encoding = dict(scan.options).get("encoding", "'utf-8-sig'").strip("'")
    return io.TextIOWrapper(_open_bytes(scan.path), encoding=encoding, newline="")


def _open_bytes(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def _with_shape(reader: Reader, scan: FileScan) -> FileScan:
    """Make sure of the delimiter: an engine that finds no shape in a file reads each line as one column.

    Raises
    ------
    SourceError
        A row has more fields than the header.
    """
    try:
        columns = _sniff(reader, scan)[4]
    except SourceError:
        columns = []
    if len(columns) > 1:
        return scan
    with _open_text(scan) as file:
        header = file.readline()
    delimiter = max(DELIMITERS, key=header.count)
    if not header.count(delimiter):
        return scan
    width, short = _count_short_rows(scan, delimiter)
    scan = scan.with_options(("header", "true"), ("delim", _delimiter_literal(delimiter)))
    if not short:
        return scan
    end = "row ends" if short == 1 else "rows end"
    note = f"{short:,} {end} before column {width}, the last: what is lacking is NULL"
    return scan.with_options(("null_padding", "true"), note=note)


def _count_short_rows(scan: FileScan, delimiter: str) -> tuple[int, int]:
    """Fields in the header, and how many rows have fewer: many rows that end early are a habit, a few are a fault."""
    short: list[tuple[int, int]] = []
    total = 0
    with _open_text(scan) as file:
        lines = csv.reader(file, delimiter=delimiter)
        width = len(next(lines))
        for row in lines:
            if len(row) > width:
                raise _ragged(scan, lines.line_num, found=len(row), width=width)
            total += 1
            if 0 < len(row) < width:
                short.append((lines.line_num, len(row)))
    if short and len(short) < FEW_SHORT * total:
        raise _ragged(scan, short[0][0], found=short[0][1], width=width)
    return width, len(short)


def _ragged(scan: FileScan, line: int, *, found: int, width: int) -> SourceError:
    return SourceError(
        f"line {line} of {scan.path.name} has {found} fields, the first line has {width}",
        where=Where(file=scan.path.name, line=line, column=1),
        hint="mend the line; a field that holds the delimiter needs quotes",
    )


def _sniff(reader: Reader, scan: FileScan) -> tuple[Any, ...]:
    """Delimiter, quote, whether there is a header, lines skipped, columns, date and timestamp format."""
    given = "".join(f", {name} = {value}" for name, value in scan.options)
    return first_row(
        reader,
        "SELECT Delimiter, Quote, HasHeader, SkipRows, Columns, DateFormat, TimestampFormat"
        f" FROM sniff_csv({text_literal(str(scan.path))}, sample_size = -1{given})",
    )


def _with_header(reader: Reader, scan: FileScan) -> FileScan:
    """See whether the first line is a header, whether quotes are quotes, and that no column has two meanings."""
    delimiter, _, has_header, skipped, columns, date_format, stamp_format = _sniff(reader, scan)
    names = [column["name"] for column in columns]
    if skipped:
        note = f"the first {skipped} line{'s' * (skipped > 1)} of the file are skipped: they have another shape"
        scan = scan.with_options(("skip", str(skipped)), note=note)
    if has_header and _header_is_data(reader, scan, names, [column["type"] for column in columns]):
        has_header = False
        names = [f"column{number}" for number in range(len(names))]
    if not has_header:
        scan = scan.with_options(
            ("header", "false"),
            ("delim", _delimiter_literal(delimiter)),
            note="the file has no header line: give the columns names that mean something",
        )
    else:
        _refuse_twins(scan, delimiter, skipped)
    scan = _with_quotes(reader, scan, len(names), bool(has_header))
    formats = []
    if date_format and date_format != "%Y-%m-%d":
        formats.append(("dateformat", text_literal(date_format)))
    if stamp_format and not stamp_format.startswith("%Y-%m-%d"):
        formats.append(("timestampformat", text_literal(stamp_format)))
    for name, literal in formats:
        scan = scan.with_options((name, literal), note=f"dates are read as {literal}: check day and month")
    return scan


def _delimiter_literal(delimiter: str) -> str:
    return "'\\t'" if delimiter == "\t" else text_literal(delimiter)


def _header_is_data(reader: Reader, scan: FileScan, names: Sequence[str], types: Sequence[str]) -> bool:
    """Whether the words of a header come again below it: nothing else tells it from a row when all columns are text."""
    if any(kind != "VARCHAR" for kind in types):
        return False
    first = names[0]
    found = first_row(
        reader,
        f"SELECT count(*) FILTER ({quote_name(first)} = {text_literal(first)}) FROM {scan.sql()}",
    )
    return int(found[0]) > 1


def _refuse_twins(scan: FileScan, delimiter: str, skipped: int) -> None:
    with _open_text(scan) as file:
        for _ in range(skipped):
            file.readline()
        line = file.readline().rstrip("\r\n")
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    keys = [name_key(name) for name in names]
    twins = sorted({name for name in names if name and keys.count(name_key(name)) > 1})
    if not twins:
        return
    column = line.casefold().rindex(twins[0].casefold()) + 1
    text = line if len(line) < 200 else ""
    raise SourceError(
        f"{scan.path.name} has two columns named {twins[0]}",
        where=Where(file=scan.path.name, line=skipped + 1, column=column, length=len(twins[0]), text=text),
        hint="rename one of them in the file's first line",
        columns=twins,
    )


def _with_quotes(reader: Reader, scan: FileScan, width: int, has_header: bool) -> FileScan:
    """A quote mark inside a text can swallow rows: when reading without quotes fits every line, that is the truth."""
    lines = _count_lines(scan.path) - int(has_header)
    counted = int(first_row(reader, f"SELECT count(*) FROM {scan.sql()}")[0])
    if counted >= lines:
        return scan
    plain = scan.with_options(("quote", "''"))
    try:
        if len(reader.schema(f"SELECT * FROM {plain.sql()}")) != width:
            return scan
        if int(first_row(reader, f"SELECT count(*) FROM {plain.sql()}")[0]) <= counted:
            return scan
    except SourceError:
        return scan
    return scan.with_options(
        ("quote", "''"),
        note=f"quote marks belong to the text here: read as quotes, {lines - counted:,} rows would be lost",
    )


def _count_lines(path: Path) -> int:
    """Lines that are not blank at the end; a last line without a newline counts."""
    lines, last = 0, b"\n"
    with _open_bytes(path) as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + int(last != b"\n")


def _with_missing(reader: Reader, scan: FileScan) -> FileScan:
    """Find the words the file uses for "no value", so that they become NULL and numbers stay numbers."""
    relation = reader.materialise(f"SELECT * FROM {scan.sql()}")
    tokens: dict[str, int] = {}
    kept: set[str] = set()
    for name in _text_columns(reader, relation):
        found = _tokens_in(reader, relation, name)
        kept |= found.pop("", {}).keys()
        for token, count in found.get("missing", {}).items():
            tokens[token] = tokens.get(token, 0) + count
    chosen = {token: count for token, count in tokens.items() if token not in kept}
    if not chosen:
        return scan
    literal = "[" + ", ".join(text_literal(token) for token in ["", *sorted(chosen)]) + "]"
    said = ", ".join(f"{token} ({count:,} cell{'s' * (count > 1)})" for token, count in sorted(chosen.items()))
    return scan.with_options(("nullstr", literal), note=f"written for a missing value in this file: {said}")


def _text_columns(reader: Reader, relation: str) -> list[str]:
    schema = reader.schema(f"SELECT * FROM {relation}")
    return [field.name for field in schema if str(field.type) in ("string", "large_string", "string_view")]


def _tokens_in(reader: Reader, relation: str, name: str) -> dict[str, dict[str, int]]:
    """Missing-value words of a column under 'missing'; those that are values of it under ''."""
    column = quote_name(name)
    listed = ", ".join(text_literal(token) for token in MISSING_NUMBER)
    counts = rows(
        reader, f"SELECT {column}, count(*) FROM {relation} WHERE {column} IN ({listed}) GROUP BY ALL ORDER BY ALL"
    )
    if not counts:
        return {}
    numbers, others, codes = first_row(
        reader,
        f"SELECT count(*) FILTER (TRY_CAST({column} AS DOUBLE) IS NOT NULL),"
        f" count(*) FILTER (TRY_CAST({column} AS DOUBLE) IS NULL AND trim({column}) <> ''),"
        f" count(*) FILTER (NOT regexp_full_match({column}, '[A-Z]{{2}}')) = 0"
        f" FROM {relation} WHERE {column} NOT IN ({listed})",
    )
    found = {str(token): int(count) for token, count in counts}
    if numbers > 0 and others <= 0.05 * numbers:
        return {"missing": found}
    missing = {token: count for token, count in found.items() if token in MISSING}
    if codes and set(missing) == {"NA"}:  # a column of two-letter codes: NA is Namibia
        return {"": missing}
    return {"missing": missing}


def _with_decimal_comma(reader: Reader, scan: FileScan) -> FileScan:
    """Numbers written 1,5 between semicolons."""
    relation = reader.materialise(f"SELECT * FROM {scan.sql()}")
    for name in _text_columns(reader, relation):
        column = quote_name(name)
        filled, commas, others = first_row(
            reader,
            f"SELECT count({column}), count(*) FILTER (regexp_full_match({column}, '[+-]?\\d+,\\d+')),"
            f" count(*) FILTER (NOT regexp_full_match({column}, '[+-]?\\d+(,\\d+)?')) FROM {relation}",
        )
        if commas and others == 0 and commas >= 0.5 * filled:
            return scan.with_options(("decimal_separator", "','"), note="numbers are written with a decimal comma")
    return scan


def _with_types(reader: Reader, scan: FileScan) -> FileScan:
    """The reader guesses types from the first rows; say so in the SQL when the whole file says otherwise."""
    whole = scan.with_options(("sample_size", "-1"))
    try:
        same = reader.schema(f"SELECT * FROM {scan.sql()}") == reader.schema(f"SELECT * FROM {whole.sql()}")
    except SourceError:
        same = False
    if same:
        return scan
    return scan.with_options(("sample_size", "-1"), note="types are told from all rows: the first 20,480 mislead")


def shown_path(path: Path, project: Path) -> str:
    """The path to write into a project's SQL: from its folder when they are near each other, else absolute."""
    path, project = path.resolve(), project.resolve()
    relative = Path(os.path.relpath(path, project))
    shared = Path(os.path.commonpath([path, project]))
    near = relative.parts.count("..") <= 3 and shared != Path(path.anchor)
    return (relative if near else path).as_posix()
