"""CSV files as they are found: headers or none, odd delimiters, quotes, words for nothing, decimal commas."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidemill.core.errors import SourceError, Where
from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.sources.delimited.cells import EXACT_DOUBLE, Known, find_types
from tidemill.sources.encoding import count_lines, find_encoding, open_text
from tidemill.sources.files import FileScan, Reader, describe, first_row, keep_rows, rows
from tidemill.sources.patterns import quote_file

FEW_SHORT = 0.05
DELIMITERS = (",", ";", "\t", "|")

# Spellings of "no value" that are never a category of their own ...
MISSING = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?")
# ... and those that are when the rest of the column is text, but not when it is numbers.
MISSING_NUMBER = (*MISSING, "None", "none", "-", "--", ".", "missing", "unknown", "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What the engine makes of a CSV file when it looks at all of it."""

    delimiter: str
    has_header: bool
    skipped: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    date_format: str
    stamp_format: str


def scan_csv(reader: Reader, scan: FileScan) -> FileScan:
    """Find the options under which every row of a CSV file is read as it was meant, and keep the rows.

    Raises
    ------
    SourceError
        The file is no text, two columns have one name, or rows do not fit the header.
    """
    encoding, line = find_encoding(scan.path)
    if encoding == "latin-1":
        note = f"the file is not UTF-8 (first on line {line}): read as Latin-1, so look at its accented letters"
        scan = scan.with_options(("encoding", "'latin-1'"), note=note)
    elif encoding != "utf-8":
        scan = scan.with_options(("encoding", quote_text(encoding)))
    scan, sniffed = _with_shape(reader, scan)
    scan = _with_formats(_with_header(reader, scan, sniffed), sniffed)
    read = keep_rows(reader, _with_types(reader, scan, sniffed.types))
    if _quotes_swallow(reader, read, header=sniffed.has_header and ("header", "false") not in scan.options):
        note = "quote marks belong to the text here: as quotes they would swallow rows"
        scan = scan.with_options(("quote", "''"), note=note)
        read = keep_rows(reader, _with_types(reader, scan, sniffed.types))
    mended = _with_decimal_comma(reader, _with_missing(reader, scan, read.kept), read.kept)
    return _with_long_numbers(reader, read if mended is scan else _with_types(reader, mended, ()))


def _sniff(reader: Reader, scan: FileScan) -> Sniffed:
    given = "".join(f", {name} = {value}" for name, value in scan.options)
    delimiter, has_header, skipped, columns, date_format, stamp_format = first_row(
        reader,
        "SELECT Delimiter, HasHeader, SkipRows, Columns, DateFormat, TimestampFormat"
        f" FROM sniff_csv({quote_file(scan.path)}, sample_size = -1{given})",
    )
    return Sniffed(
        delimiter=delimiter,
        has_header=bool(has_header),
        skipped=int(skipped),
        names=tuple(column["name"] for column in columns),
        types=tuple(column["type"] for column in columns),
        date_format=date_format or "",
        stamp_format=stamp_format or "",
    )


def _with_shape(reader: Reader, scan: FileScan) -> tuple[FileScan, Sniffed]:
    """Make sure of the delimiter: an engine that finds no shape in a file reads each line as one column."""
    failure: SourceError | None = None
    sniffed: Sniffed | None = None
    try:
        sniffed = _sniff(reader, scan)
    except SourceError as error:
        failure = error
    if sniffed is not None and len(sniffed.names) > 1:
        return scan, sniffed
    with open_text(scan.path, scan.encoding) as file:
        header = file.readline()
    delimiter = max(DELIMITERS, key=header.count)
    if not header.count(delimiter):
        if sniffed is None:
            raise failure or SourceError(f"{scan.path.name} has no shape")
        return scan, sniffed
    width, short = _count_short_rows(scan, delimiter)
    scan = scan.with_options(("header", "true"), ("delim", _delimiter_literal(delimiter)))
    if short:
        end = "row ends" if short == 1 else "rows end"
        note = f"{short:,} {end} before column {width}, the last: what is lacking is NULL"
        scan = scan.with_options(("null_padding", "true"), note=note)
    return scan, _sniff(reader, scan)


def _count_short_rows(scan: FileScan, delimiter: str) -> tuple[int, int]:
    """Fields in the header, and how many rows have fewer: many rows that end early are a habit, a few are a fault."""
    short: list[tuple[int, int]] = []
    total = 0
    with open_text(scan.path, scan.encoding) as file:
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


def _with_header(reader: Reader, scan: FileScan, sniffed: Sniffed) -> FileScan:
    """See whether the first line is a header, and that no two columns have one name."""
    if sniffed.skipped:
        many = "s" if sniffed.skipped > 1 else ""
        note = f"the first {sniffed.skipped} line{many} of the file are skipped: they have another shape"
        scan = scan.with_options(("skip", str(sniffed.skipped)), note=note)
    if sniffed.has_header and not _header_is_data(reader, scan, sniffed):
        _refuse_twins(scan, sniffed)
        return scan
    return scan.with_options(
        ("header", "false"),
        ("delim", _delimiter_literal(sniffed.delimiter)),
        note="the file has no header line: give the columns names that mean something",
    )


def _with_formats(scan: FileScan, sniffed: Sniffed) -> FileScan:
    """Say how dates are read when they are not written as ISO 8601 has them."""
    for option, form in (("dateformat", sniffed.date_format), ("timestampformat", sniffed.stamp_format)):
        if form and not form.startswith("%Y-%m-%d"):
            literal = quote_text(form)
            scan = scan.with_options((option, literal), note=f"dates are read as {literal}: check day and month")
    return scan


def _delimiter_literal(delimiter: str) -> str:
    return "'\\t'" if delimiter == "\t" else quote_text(delimiter)


def _header_is_data(reader: Reader, scan: FileScan, sniffed: Sniffed) -> bool:
    """Whether the words of a header come again below it: nothing else tells it from a row when all columns are text."""
    if any(type_ != "VARCHAR" for type_ in sniffed.types):
        return False
    name = sniffed.names[0]
    found = first_row(reader, f"SELECT count(*) FILTER ({quote_name(name)} = {quote_text(name)}) FROM {scan.sql()}")
    return int(found[0]) > 1


def _refuse_twins(scan: FileScan, sniffed: Sniffed) -> None:
    with open_text(scan.path, scan.encoding) as file:
        for _ in range(sniffed.skipped):
            file.readline()
        line = file.readline().rstrip("\r\n")
    names = [name.strip() for name in next(csv.reader([line], delimiter=sniffed.delimiter))]
    keys = [name_key(name) for name in names]
    twins = sorted({name for name in names if name and keys.count(name_key(name)) > 1})
    if not twins:
        return
    column = line.casefold().rindex(twins[0].casefold()) + 1
    text = line if len(line) < 200 else ""
    raise SourceError(
        f"{scan.path.name} has two columns named {twins[0]}",
        where=Where(file=scan.path.name, line=sniffed.skipped + 1, column=column, length=len(twins[0]), text=text),
        hint="rename one of them in the file's first line",
        columns=twins,
    )


def _quotes_swallow(reader: Reader, scan: FileScan, *, header: bool) -> bool:
    """Whether a quote mark inside a text swallows rows: reading without quotes fits every line, and gives more."""
    counted = int(first_row(reader, f"SELECT count(*) FROM {scan.kept}")[0])
    if counted >= count_lines(scan.path) - int(header):
        return False
    plain = scan.with_options(("quote", "''"))
    try:
        same = len(describe(reader, plain)) == len(describe(reader, scan))
        return same and int(first_row(reader, f"SELECT count(*) FROM {plain.sql()}")[0]) > counted
    except SourceError:
        return False


def _with_missing(reader: Reader, scan: FileScan, relation: str) -> FileScan:
    """Find the words the file uses for "no value", so that they become NULL and numbers stay numbers."""
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
    literal = "[" + ", ".join(quote_text(token) for token in ["", *sorted(chosen)]) + "]"
    said = ", ".join(f"{token} ({count:,} cell{'s' * (count > 1)})" for token, count in sorted(chosen.items()))
    return scan.with_options(("nullstr", literal), note=f"written for a missing value in this file: {said}")


def _text_columns(reader: Reader, relation: str) -> list[str]:
    schema = reader.schema(f"SELECT * FROM {relation}")
    return [field.name for field in schema if str(field.type) in ("string", "large_string", "string_view")]


def _tokens_in(reader: Reader, relation: str, name: str) -> dict[str, dict[str, int]]:
    """Missing-value words of a column under 'missing'; those that are values of it under ''."""
    column = quote_name(name)
    listed = ", ".join(quote_text(token) for token in MISSING_NUMBER)
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


def _with_decimal_comma(reader: Reader, scan: FileScan, relation: str) -> FileScan:
    """Numbers written 1,5 between semicolons."""
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


def _with_long_numbers(reader: Reader, scan: FileScan) -> FileScan:
    """Say the types of numbers that the engine takes for DOUBLE, by which it would round them."""
    doubles = [name for name, type_ in describe(reader, scan) if type_ == "DOUBLE"]
    if not doubles:
        return scan
    tests = ", ".join(f"bool_or(abs({quote_name(name)}) >= {EXACT_DOUBLE})" for name in doubles)
    found = first_row(reader, f"SELECT {tests} FROM {scan.kept or scan.sql()}")
    long = [name for name, is_long in zip(doubles, found, strict=True) if is_long]
    if not long:
        return scan
    texts = scan.with_options(("types", _types_literal(dict.fromkeys(long, "VARCHAR")))).sql()
    decimal = dict(scan.options).get("decimal_separator", "'.'").strip("'")
    columns = find_types(reader, texts, long, Known(types={}, decimal=decimal))
    types = {column.name: column.type for column in columns if column.type != "DOUBLE"}
    if not types:
        return scan
    note = f"as DOUBLE the long numbers of {', '.join(types)} would be rounded"
    return scan.with_options(("types", _types_literal(types)), note=note)


def _types_literal(types: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{quote_text(name)}: {quote_text(type_)}' for name, type_ in types.items())}}}"


def _with_types(reader: Reader, scan: FileScan, whole: Sequence[str]) -> FileScan:
    """The reader guesses types from the first rows; say so in the SQL when the whole file says otherwise.

    ``whole`` are the types that all rows have, when they are known.
    """
    every = scan.with_options(("sample_size", "-1"), note="types are told from all rows: the first 20,480 mislead")
    try:
        first = [type_ for _, type_ in describe(reader, scan)]
        same = first == (list(whole) or [type_ for _, type_ in describe(reader, every)])
    except SourceError:
        same = False
    return scan if same else every
