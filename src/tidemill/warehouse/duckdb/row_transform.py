"""The columns of a frozen TRANSFORM for the few rows of a request: one locked-down DuckDB, and no Arrow.

A server opens one for a model whose TRANSFORM has no counterpart in ONNX. Rows go in as JSON that a function of ours
hands out: a statement without parameters is planned once (0.25 ms a row), one with parameters each time (0.5 ms), and
binding any parameter makes DuckDB look for pandas.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tidemill.core.arrow_text import ArrowText, read_arrow_text
from tidemill.core.errors import InputError, InternalError
from tidemill.core.names import quote_name, quote_text
from tidemill.warehouse.duckdb.scalar_functions import add_row_functions, names_any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": "1",
    "memory_limit": "256MB",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "true",
}

_BODY = "tidemill_rows"

_TYPES = {
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "halffloat": "FLOAT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "date32": "DATE",
    "date64": "DATE",
    "time32": "TIME",
    "time64": "TIME",
    "binary": "BLOB",
    "large_binary": "BLOB",
    "binary_view": "BLOB",
    "fixed_size_binary": "BLOB",
}


class RowTransform:
    """Computes TRANSFORM for rows; calls may come from several threads.

    Parameters
    ----------
    inputs
        Name and Arrow type (as text) of each raw column.
    columns
        Name, SQL and Arrow type of each column to compute.
    """

    def __init__(self, inputs: Sequence[tuple[str, str]], columns: Sequence[tuple[str, str, str]]) -> None:
        types = [read_arrow_text(type_) for _, type_ in inputs]
        self._inputs = [name for name, _ in inputs]
        self._names = [name for name, _, _ in columns]
        self._lock = threading.Lock()
        # A list of its own: were it an attribute, the connection would hold this object, and neither would ever go.
        self._text = [""]
        self._connection = _locked_down(self._text, any(names_any(sql) for _, sql, _ in columns))
        self._times = [at for at, type_ in enumerate(types) if type_.name == "timestamp" and "tz=" not in type_.rest]
        form = quote_text(json.dumps({f"c{i}": [_json_form(type_)] for i, type_ in enumerate(types)}))
        given = ", ".join(
            f"{_read(f'unnest(r.c{i})', type_)} AS {quote_name(name)}"
            for i, (name, type_) in enumerate(zip(self._inputs, types, strict=True))
        )
        made = ", ".join(f"{_fetched(sql, type_)} AS c{i}" for i, (_, sql, type_) in enumerate(columns))
        rows = f"SELECT {given} FROM (SELECT from_json_strict({_BODY}(), {form}) AS r)"
        self._connection.execute(f"PREPARE tm_rows AS SELECT {made} FROM ({rows}) AS tm_raw")
        (self._statement,) = self._connection.extract_statements("EXECUTE tm_rows")

    def __call__(self, columns: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        """The columns of TRANSFORM over some rows.

        Parameters
        ----------
        columns
            The raw columns by name; values as JSON has them: ISO text for dates and times, base64 for bytes.

        Raises
        ------
        InputError
            The engine cannot read a value, or fails to compute for it; the facts say which row.
        """
        import duckdb

        given = [columns[name] for name in self._inputs]
        for at in self._times:
            given[at] = list(map(_without_zone, given[at]))
        try:
            rows = self._run(given)
        except (duckdb.Error, ValueError) as error:
            raise self._blamed(given, error) from error
        if len(rows) != len(given[0]):
            raise InternalError("TRANSFORM gave another number of rows than it was given")
        return dict(zip(self._names, zip(*rows, strict=True), strict=True))

    def close(self) -> None:
        """Stop the engine."""
        with self._lock:
            self._connection.close()

    def _run(self, given: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        text = msgspec.json.encode({f"c{i}": column for i, column in enumerate(given)}).decode()
        with self._lock:
            self._text[0] = text
            found: list[tuple[Any, ...]] = self._connection.execute(self._statement).fetchall()
        return found

    def _blamed(self, given: Sequence[Sequence[Any]], error: Exception) -> InputError:
        """The error of the first row that fails alone."""
        import duckdb

        for row in range(len(given[0])):
            try:
                self._run([[column[row]] for column in given])
            except (duckdb.Error, ValueError) as alone:
                return InputError(f"row {row}: TRANSFORM fails: {_first_line(alone)}", row=row, column=None)
        return InputError(f"TRANSFORM fails: {_first_line(error)}")


def open_row_transform(
    inputs: Sequence[tuple[str, str]], columns: Sequence[tuple[str, str, str]]
) -> Callable[[Mapping[str, Sequence[Any]]], Mapping[str, Sequence[Any]]]:
    """Open the engine for one model: what `OnlineModel.open` takes as ``transform``."""
    return RowTransform(inputs, columns)


def _locked_down(text: list[str], functions: bool) -> DuckDBPyConnection:
    import duckdb
    from duckdb.func import PythonUDFType

    connection = duckdb.connect(":memory:", config=_CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    native = PythonUDFType.NATIVE
    connection.create_function(_BODY, lambda: text[0], [], "VARCHAR", type=native, side_effects=True)
    if functions:
        add_row_functions(connection)
    # In the configuration it would come before temp_directory, which could then not be set.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _fetched(sql: str, type_: str) -> str:
    # A TIMESTAMP WITH TIME ZONE comes to Python only with a package for zones; UTC needs none.
    return f"make_timestamp(epoch_us({sql}))" if "tz=" in type_ and type_.startswith("timestamp") else f"({sql})"


def _json_form(type_: ArrowText) -> Any:
    """The type that JSON is read as: text for what JSON has no type of, and for decimals, whose digits count."""
    if type_.name == "list":
        return [_json_form(type_.fields[0][1])]
    if type_.name == "struct":
        return {name: _json_form(of) for name, of in type_.fields}
    return {"DOUBLE": "DOUBLE", "FLOAT": "DOUBLE", "BOOLEAN": "BOOLEAN"}.get(_sql_type(type_), "VARCHAR")


def _without_zone(value: Any) -> Any:
    """ISO text in UTC: the engine reads the clock of a text with an offset, and passes the offset over."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value  # the engine says what is wrong with it
    try:
        return value if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    except OverflowError:
        raise InputError(f"{value} lies outside the calendar in UTC") from None


def _read(value: str, type_: ArrowText, depth: int = 0) -> str:
    """SQL that makes a value of its type from what JSON was read as."""
    if _sql_type(type_) == "BLOB":
        return f"from_base64({value})"
    if type_.name == "list" and "BLOB" in _sql_type(type_):
        return f"list_transform({value}, lambda e{depth}: {_read(f'e{depth}', type_.fields[0][1], depth + 1)})"
    if type_.name == "struct" and "BLOB" in _sql_type(type_):
        # The lambda names the value, which is written once a field.
        each = f"e{depth}"
        parts = ", ".join(
            f"{quote_name(name)} := {_read(f'struct_extract({each}, {quote_text(name)})', of, depth + 1)}"
            for name, of in type_.fields
        )
        packed = f"CASE WHEN {each} IS NULL THEN NULL ELSE struct_pack({parts}) END"
        return f"list_transform([{value}], lambda {each}: {packed})[1]"
    return f"CAST({value} AS {_sql_type(type_)})"


def _sql_type(type_: ArrowText) -> str:
    """DuckDB's name of a type."""
    match type_.name:
        case "list":
            return f"{_sql_type(type_.fields[0][1])}[]"
        case "struct":
            fields = ", ".join(f"{quote_name(name)} {_sql_type(of)}" for name, of in type_.fields)
            return f"STRUCT({fields})"
        case "timestamp":
            return "TIMESTAMPTZ" if "tz=" in type_.rest else "TIMESTAMP"
        case name if name.startswith("decimal"):
            return f"DECIMAL({type_.rest})"
        case name:
            return _TYPES.get(name, "VARCHAR")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
