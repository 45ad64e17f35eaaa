"""Scored rows as text, a line each: CSV and newline-delimited JSON, written by way of the engine."""

from __future__ import annotations

import json
import math
from typing import IO, TYPE_CHECKING, Any

from tidemill.core.csv_cells import harmless, harmless_sql
from tidemill.core.names import quote_name

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.rows import Rows
    from tidemill.warehouse.protocol import Session

_CHUNK = "tm_chunk"


def write_csv(session: Session, rows: Rows, file: IO[bytes], *, header: bool) -> None:
    """Write a line a row: texts in quotes, NULL empty, arrays and structs as JSON; no text is a formula."""
    import pyarrow.csv as csv

    columns = [_cell(field) for field in rows.schema]
    options = csv.WriteOptions(include_header=header)
    with (
        session.query(f"SELECT {', '.join(columns)} FROM {_CHUNK}", {_CHUNK: rows}) as reader,
        csv.CSVWriter(file, reader.schema, write_options=options) as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)


def write_json(session: Session, rows: Rows, file: IO[bytes]) -> None:
    """Write an object a line; NaN and infinities are null, bytes are base64."""
    import pyarrow as pa

    fields = [
        f"to_base64({quote_name(field.name)}) AS {quote_name(field.name)}" for field in rows.schema if _is_bytes(field)
    ]
    star = f"* REPLACE ({', '.join(fields)})" if fields else "*"
    sql = f"SELECT CAST(to_json(tm_row) AS VARCHAR) FROM (SELECT {star} FROM {_CHUNK}) AS tm_row"
    with session.query(sql, {_CHUNK: rows}) as reader:
        for batch in reader:
            assert isinstance(batch, pa.RecordBatch)  # noqa: S101 - what a reader gives
            lines = [_finite_line(line) for line in batch.column(0).to_pylist()]
            file.write(("\n".join(lines) + "\n").encode() if lines else b"")


def _cell(field: pa.Field) -> str:
    import pyarrow as pa

    kind, name, shown = field.type, quote_name(field.name), quote_name(harmless(field.name))
    if pa.types.is_nested(kind):
        return f"CAST(to_json({name}) AS VARCHAR) AS {shown}"
    if _is_bytes(field):
        return f"to_base64({name}) AS {shown}"
    if pa.types.is_string(kind):
        return f"{harmless_sql(name)} AS {shown}"
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return f"{name} AS {shown}" if plain else f"CAST({name} AS VARCHAR) AS {shown}"


def _is_bytes(field: pa.Field) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type))


def _finite_line(line: str) -> str:
    """JSON has no NaN; the engine writes it all the same, and Python reads it."""
    if "NaN" not in line and "Infinity" not in line:
        return line
    return json.dumps(_finite(json.loads(line)), ensure_ascii=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
