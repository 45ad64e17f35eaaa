"""Which of DuckDB's types survive in a Parquet file, and what the others become.

Left alone, DuckDB 1.5 writes a HUGEINT as DOUBLE (digits are lost), a TIMESTAMP_MS under the wrong unit (the value
changes) and an INTERVAL without its microseconds. ``SUM`` of integers is a HUGEINT, so this is an everyday case.
"""

from __future__ import annotations

from typing import Any

from tidemill.core.names import quote_name

# What each type is stored as: exact, or an error when a value does not fit.
_STORED = {
    "hugeint": "DECIMAL(38,0)",
    "uhugeint": "DECIMAL(38,0)",
    "bignum": "VARCHAR",
    "enum": "VARCHAR",
    "bit": "VARCHAR",
    "timestamp_s": "TIMESTAMP",
    "timestamp_ms": "TIMESTAMP",
    "time_ns": "VARCHAR",
    "time with time zone": "VARCHAR",
    "interval": "VARCHAR",
}

# DuckLake cannot take files with these columns.
_REFUSED = {"union", "variant", "geometry"}


def stored_type(kind: Any) -> str | None:
    """The SQL type under which values of a DuckDB type are stored; None when there is none.

    Parameters
    ----------
    kind
        A ``duckdb.sqltypes.DuckDBPyType``.
    """
    name = kind.id
    if name in _STORED:
        return _STORED[name]
    if name in _REFUSED:
        return None
    if name in {"list", "array"}:
        inner = stored_type(kind.children[0][1])
        return None if inner is None else f"{inner}[]"
    if name in {"struct", "map"}:
        parts = [(child, stored_type(inner)) for child, inner in kind.children]
        if any(inner is None or child == "" for child, inner in parts):
            return None
        if name == "map":
            return f"MAP({parts[0][1]}, {parts[1][1]})"
        return f"STRUCT({', '.join(f'{quote_name(child)} {inner}' for child, inner in parts)})"
    return str(kind)
