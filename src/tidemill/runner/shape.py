"""The SQL that a CREATE TABLE or LOAD DATA statement runs, around its query: declared types, file readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidemill.core.errors import BindError, OptionError, UnsupportedError, Where
from tidemill.core.names import did_you_mean, name_key, quote_name, quote_text
from tidemill.sources.patterns import is_remote
from tidemill.sql.file_reads import FileRead
from tidemill.sql.statements import ColumnDef, LoadData, OptionValue, Source

# BigQuery's names of formats, and the engine's readers.
READERS = {
    "CSV": "read_csv",
    "JSON": "read_json",
    "NEWLINE_DELIMITED_JSON": "read_json",
    "PARQUET": "read_parquet",
}


def _leading_rows(value: Any) -> dict[str, Any]:
    # BigQuery's one skipped row is the header; the reader wants to be told that there is one.
    return {"skip": int(value) - 1, "header": True} if int(value) else {"header": False}


# BigQuery's names of CSV options, and what they are to the reader.
CSV_OPTIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "field_delimiter": lambda value: {"delim": {"tab": "\t", "\\t": "\t"}.get(str(value).lower(), str(value))},
    "skip_leading_rows": _leading_rows,
    "quote": lambda value: {"quote": str(value)},
    "null_marker": lambda value: {"nullstr": str(value)},
    "null_markers": lambda value: {"nullstr": value},
    "encoding": lambda value: {"encoding": str(value)},
    "allow_jagged_rows": lambda value: {"null_padding": bool(value)},
    "allow_quoted_newlines": lambda _: {},  # they are always read
}
MAX_BAD = "max_bad_records"


def start_of(source: Source, length: int = 1) -> Where:
    """Where a statement begins, with its first line for the caret."""
    first = source.text.split("\n", 1)[0]
    return Where(
        file=source.file, line=source.line, column=source.column, length=length, text=" " * (source.column - 1) + first
    )


def typed_query(
    sql: str,
    columns: Sequence[ColumnDef],
    *,
    found: Sequence[str],
    source: Source,
    engine: str,
    files: Sequence[str] = (),
) -> str:
    """Cast the columns that the statement gives a type; the others pass as they are.

    Parameters
    ----------
    found
        The names of the query's columns.
    files
        Those of which the query takes all columns: where one lacks a column, it is they that may be wrong.

    Raises
    ------
    BindError
        The query has no column of that name.
    """
    names = {name_key(name): name for name in found}
    casts: list[str] = []
    for column in columns:
        if name_key(column.name) not in names and files:
            raise BindError(
                f"{_listed(files)} no {column.name}, which the column list names, but {', '.join(found[:20])}",
                where=start_of(source),
                hint=f"{did_you_mean(column.name, found)}; where the list is right, mend the file",
                files=list(files),
            )
        if name_key(column.name) not in names:
            raise BindError(
                f"the column list names {column.name}, which the query does not have",
                where=start_of(source),
                hint=did_you_mean(column.name, found),
            )
        if column.type:
            quoted = quote_name(names[name_key(column.name)])
            casts.append(f"CAST({quoted} AS {engine_type(column.type, source.dialect, engine)}) AS {quoted}")
    return f"SELECT * REPLACE ({', '.join(casts)}) FROM ({sql}\n)" if casts else sql


def _listed(files: Sequence[str]) -> str:
    more = f" and {len(files) - 3} more files" if len(files) > 3 else ""
    return f"{', '.join(files[:3])}{more} {'have' if len(files) > 1 else 'has'}"


def engine_type(text: str, dialect: str, engine: str) -> str:
    """A declared type as the engine names it."""
    if dialect == engine:
        return text
    from sqlglot import exp

    return exp.DataType.build(text, dialect=dialect).sql(dialect=engine)


def load_read(statement: LoadData) -> FileRead:
    """The files behind LOAD DATA ... FROM FILES, and how they are read.

    Raises
    ------
    UnsupportedError
        The format or the place cannot be read here.
    OptionError
        An option is not known.
    """
    reader = READERS.get(statement.format.upper())
    if reader is None:
        raise UnsupportedError(
            f"LOAD DATA reads no {statement.format} files",
            where=start_of(statement.source),
            hint=f"formats: {', '.join(READERS)}",
        )
    remote = [uri for uri in statement.uris if is_remote(uri)]
    if remote:
        raise UnsupportedError(
            f"LOAD DATA cannot reach {remote[0]}: this version reads files on this machine",
            where=start_of(statement.source),
            hint="copy the files here and name their path",
        )
    options: dict[str, Any] = {}
    for option in statement.options:
        options |= _reader_option(option, reader, statement)
    return FileRead(reader=reader, patterns=statement.uris, options=options)


def load_query(statement: LoadData) -> str:
    """The reader call behind LOAD DATA ... FROM FILES, as a query.

    Raises
    ------
    UnsupportedError
        The format or the place cannot be read here.
    OptionError
        An option is not known.
    """
    read = load_read(statement)
    told = "".join(f", {name} = {_literal(value)}" for name, value in read.options.items())
    return f"SELECT * FROM {read.reader}([{', '.join(map(quote_text, read.patterns))}]{told})"


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return quote_text(value) if isinstance(value, str) else str(value).lower()


def load_limit(statement: LoadData) -> int:
    """How many bad rows LOAD DATA takes."""
    given = {option.name.lower(): option.value for option in statement.options}
    return int(given.get(MAX_BAD, 0))


def types_of(columns: Sequence[ColumnDef], source: Source, engine: str) -> dict[str, str]:
    """The engine's types of the columns that a statement gives one."""
    return {column.name: engine_type(column.type, source.dialect, engine) for column in columns if column.type}


def _reader_option(option: OptionValue, reader: str, statement: LoadData) -> dict[str, Any]:
    name = option.name.lower()
    if name == MAX_BAD and isinstance(option.value, int) and option.value >= 0:
        return {}
    if reader != "read_csv" or name not in CSV_OPTIONS:
        raise OptionError(
            f"LOAD DATA has no option {option.name} for {statement.format} files",
            where=Where(file=statement.source.file, line=option.name_line, column=option.name_column,
                        length=len(option.name)),
            hint=did_you_mean(name, [*CSV_OPTIONS, MAX_BAD]),
        )  # fmt: skip
    return CSV_OPTIONS[name](option.value)
