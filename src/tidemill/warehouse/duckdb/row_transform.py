"""The columns of a frozen TRANSFORM for the few rows of a request: one locked-down DuckDB, and no Arrow.

A server opens one for a model whose TRANSFORM has no counterpart in ONNX. It costs 30 MB and half a millisecond a
request: most of that is planning, which DuckDB does again for every execution.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.core.arrow_text import ArrowText, read_arrow_text
from tidemill.core.errors import InputError, InternalError
from tidemill.core.names import quote_name
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
        self._inputs = [(name, read_arrow_text(type_)) for name, type_ in inputs]
        self._names = [name for name, _, _ in columns]
        self._bytes = [_turner(type_) for _, type_ in self._inputs]
        self._lock = threading.Lock()
        self._connection = _locked_down(any(names_any(sql) for _, sql, _ in columns))
        given = ", ".join(
            f"unnest(CAST(${i} AS {_sql_type(type_)}[])) AS {quote_name(name)}"
            for i, (name, type_) in enumerate(self._inputs, start=1)
        )
        made = ", ".join(f"{_fetched(sql, type_)} AS c{i}" for i, (_, sql, type_) in enumerate(columns))
        (self._statement,) = self._connection.extract_statements(f"SELECT {made} FROM (SELECT {given}) AS tm_raw")

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

        given = [columns[name] for name, _ in self._inputs]
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
        values = [
            list(column) if turn is None else [None if value is None else turn(value) for value in column]
            for column, turn in zip(given, self._bytes, strict=True)
        ]
        with self._lock:
            found: list[tuple[Any, ...]] = self._connection.execute(self._statement, values).fetchall()
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


def _locked_down(functions: bool) -> DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:", config=_CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    if functions:
        add_row_functions(connection)
    # In the configuration it would come before temp_directory, which could then not be set.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _fetched(sql: str, type_: str) -> str:
    # A TIMESTAMP WITH TIME ZONE comes to Python only with a package for zones; UTC needs none.
    return f"make_timestamp(epoch_us({sql}))" if "tz=" in type_ and type_.startswith("timestamp") else f"({sql})"


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


def _turner(type_: ArrowText) -> Callable[[Any], Any] | None:
    """What must be done to a value before the engine takes it; None when nothing."""
    if _sql_type(type_) == "BLOB":
        return lambda text: base64.b64decode(text, validate=True)
    if type_.name == "timestamp":
        return lambda text: str(text).removesuffix(" UTC")
    if type_.name.startswith("decimal"):
        return str  # a float would lose digits on the way
    if type_.name == "list":
        inner = _turner(type_.fields[0][1])
        return None if inner is None else lambda items: [None if item is None else inner(item) for item in items]
    return _struct_turner(type_) if type_.name == "struct" else None


def _struct_turner(type_: ArrowText) -> Callable[[Any], Any]:
    turners = [(name, _turner(of)) for name, of in type_.fields]

    def turn(value: Any) -> dict[str, Any]:
        found = value if isinstance(value, Mapping) else _fields(value, [name for name, _ in turners])
        return {
            name: inner(found[name]) if inner is not None and found[name] is not None else found[name]
            for name, inner in turners
        }

    return turn


def _fields(value: Any, names: Sequence[str]) -> dict[str, Any]:
    import msgspec

    return dict(zip(names, msgspec.structs.astuple(value), strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
