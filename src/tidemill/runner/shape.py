"""The SQL that a CREATE TABLE or LOAD DATA statement runs, around its query: declared types, file readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, OptionError, UnsupportedError, Where
from tidemill.core.names import did_you_mean, name_key, quote_name, quote_text
from tidemill.sources.patterns import is_remote
from tidemill.sql.statements import ColumnDef, LoadData, OptionValue, Source

if TYPE_CHECKING:
    import pyarrow as pa

READERS = {
    "CSV": "read_csv",
    "JSON": "read_json",
    "NEWLINE_DELIMITED_JSON": "read_json",
    "PARQUET": "read_parquet",
}
# BigQuery's names of CSV options, and DuckDB's.
CSV_OPTIONS = {
    "field_delimiter": "delim",
    "skip_leading_rows": "skip",
    "quote": "quote",
    "null_marker": "nullstr",
    "encoding": "encoding",
}


def start_of(source: Source, length: int = 1) -> Where:
    """Where a statement begins, with its first line for the caret."""
    first = source.text.split("\n", 1)[0]
    return Where(
        file=source.file, line=source.line, column=source.column, length=length, text=" " * (source.column - 1) + first
    )


def typed_query(sql: str, columns: Sequence[ColumnDef], *, schema: pa.Schema, source: Source, engine: str) -> str:
    """Cast the columns that the statement gives a type; the others pass as they are.

    Raises
    ------
    BindError
        The query has no column of that name.
    """
    names = {name_key(name): name for name in schema.names}
    casts: list[str] = []
    for column in columns:
        if name_key(column.name) not in names:
            raise BindError(
                f"the column list names {column.name}, which the query does not have",
                where=start_of(source),
                hint=did_you_mean(column.name, schema.names),
            )
        if column.type:
            quoted = quote_name(names[name_key(column.name)])
            casts.append(f"CAST({quoted} AS {engine_type(column.type, source.dialect, engine)}) AS {quoted}")
    return f"SELECT * REPLACE ({', '.join(casts)}) FROM ({sql}\n)" if casts else sql


def engine_type(text: str, dialect: str, engine: str) -> str:
    """A declared type as the engine names it."""
    if dialect == engine:
        return text
    from sqlglot import exp

    return exp.DataType.build(text, dialect=dialect).sql(dialect=engine)


def load_query(statement: LoadData) -> str:
    """The reader call behind LOAD DATA ... FROM FILES.

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
    files = ", ".join(quote_text(uri) for uri in statement.uris)
    arguments = "".join(_reader_option(option, reader, statement) for option in statement.options)
    return f"SELECT * FROM {reader}([{files}]{arguments})"


def _reader_option(option: OptionValue, reader: str, statement: LoadData) -> str:
    name = CSV_OPTIONS.get(option.name.lower())
    if reader != "read_csv" or name is None:
        raise OptionError(
            f"LOAD DATA has no option {option.name} for {statement.format} files",
            where=Where(file=statement.source.file, line=option.name_line, column=option.name_column,
                        length=len(option.name)),
            hint=did_you_mean(option.name.lower(), CSV_OPTIONS),
        )  # fmt: skip
    if name == "skip":
        # BigQuery's one skipped row is the header; the reader wants to be told that there is one.
        return f", skip = {int(option.value) - 1}, header = true" if int(option.value) else ", header = false"
    return f", {name} = {quote_text(str(option.value))}"
