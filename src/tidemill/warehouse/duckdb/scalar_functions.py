"""Functions of SQL that DuckDB lacks: Tidemill's own, registered when a query names one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.core import farm, tfdv

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def names_any(sql: str) -> bool:
    """Whether a text may call one of these functions."""
    lowered = sql.lower()
    return farm.SIGNED in lowered or tfdv.FUNCTION in lowered  # the names of the others contain the first


def add_functions(connection: DuckDBPyConnection) -> None:
    """Register all of them with an instance. Rows come as Arrow columns, two thousand at a time."""
    from duckdb.func import PythonUDFType

    # DuckDB looks up the types in a function's signature, and pyarrow's are not in these modules' names.
    def unsigned(values: Any) -> Any:
        return farm.fingerprints(values)

    def signed(values: Any) -> Any:
        return farm.signed_fingerprints(values)

    arrow = PythonUDFType.ARROW
    connection.create_function(farm.FUNCTION, unsigned, ["VARCHAR"], "UBIGINT", type=arrow)
    connection.create_function(farm.SIGNED, signed, ["VARCHAR"], "BIGINT", type=arrow)
    connection.create_function(farm.SIGNED_BYTES, signed, ["BLOB"], "BIGINT", type=arrow)
    _add_validate(connection)


def add_row_functions(connection: DuckDBPyConnection) -> None:
    """Register the same functions for few rows at a time: a Python value each, and no Arrow in the process."""
    from duckdb.func import PythonUDFType

    native = PythonUDFType.NATIVE
    connection.create_function(farm.FUNCTION, farm.fingerprint, ["VARCHAR"], "UBIGINT", type=native)
    connection.create_function(farm.SIGNED, farm.signed_fingerprint, ["VARCHAR"], "BIGINT", type=native)
    connection.create_function(farm.SIGNED_BYTES, farm.signed_fingerprint, ["BLOB"], "BIGINT", type=native)
    _add_validate(connection)


def _add_validate(connection: DuckDBPyConnection) -> None:
    from duckdb.func import PythonUDFType

    native = PythonUDFType.NATIVE
    connection.create_function(tfdv.FUNCTION, tfdv.validate, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR", type=native)
