"""Rows on their way out: a table for people, CSV, JSON or Parquet for programs, a few batches in memory at a time."""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from tidemill.cli.words import count
from tidemill.core.errors import SettingsError, SourceError, SpaceError
from tidemill.runner.result import Result, show, text_table


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def write_result(result: Result, format_: Format, *, output: Path | None = None, limit: int = 100) -> None:
    """Write the rows of a result to a file or to standard output."""
    with _translated(output):
        if format_ is Format.parquet:
            _write_parquet(result, output)
            return
        # newline="" leaves line ends to the writers.
        target = (
            contextlib.nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8", newline="")
        )
        with target as stream:
            if format_ is Format.table:
                print(as_table(result, limit=limit, width=_terminal_width(stream)), file=stream)
            elif format_ is Format.csv:
                write_csv(result, stream)
            else:
                write_json(result, stream)


@contextlib.contextmanager
def _translated(output: Path | None) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if output is None:
            raise
        kind = SpaceError if error.errno == 28 else SourceError  # ENOSPC
        raise kind(f"cannot write {output}: {error.strerror}", hint="choose another place with --output") from None


def _text_target(output: Path | None) -> contextlib.AbstractContextManager[IO[str]]:
    if output is None:
        return contextlib.nullcontext(sys.stdout)
    return output.open("w", encoding="utf-8", newline="")  # the writers end their lines themselves


def _terminal_width(stream: IO[str]) -> int:
    return shutil.get_terminal_size().columns if stream.isatty() else 0


def as_table(result: Result, *, limit: int = 100, width: int = 0) -> str:
    """Rows as aligned text.

    Parameters
    ----------
    limit
        Rows shown at most; 0 shows all.
    width
        Columns of the terminal: a single row that is wider stands upright, more are cut. 0 cuts nothing.
    """
    rows, more = result.head(limit) if limit else (result.fetchall(), False)
    if not result.columns:
        return "done"
    text = text_table(result.columns, rows, widest=10_000 if not width else 48)
    lines = text.split("\n")
    if width and max(map(len, lines)) > width:
        if len(rows) == 1:
            names = max(map(len, result.columns))
            lines = [f"{name:>{names}}  {show(value)}" for name, value in zip(result.columns, rows[0], strict=True)]
        lines = [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]
    if more:
        lines.append(f"... more than {count(limit, 'row')}: --limit 0 prints all, --format csv is for files")
    elif not rows:
        lines.append("(no rows)")
    return "\n".join(lines)


def write_csv(result: Result, stream: IO[str]) -> None:
    """Write a header and a line a row; NULL is empty, lists and structs are JSON."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(result.columns)
    for batch in result.rows.batches():
        columns = [column.to_pylist() for column in batch.columns]
        writer.writerows([_csv_cell(value) for value in row] for row in zip(*columns, strict=True))


def _csv_cell(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(plain(value), ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) or value is None:
        return value
    return plain(value)


def write_json(result: Result, stream: IO[str]) -> None:
    """Write a list of row objects, one row a line."""
    names = result.columns
    stream.write("[")
    first = True
    for batch in result.rows.batches():
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            item = {name: plain(value) for name, value in zip(names, row, strict=True)}
            stream.write(("\n" if first else ",\n") + json.dumps(item, ensure_ascii=False))
            first = False
    stream.write("]\n" if first else "\n]\n")


def plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, bytes in base64, decimals and the like as numbers, NaN as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if isinstance(value, str | int | bool) or value is None else str(value)


def _write_parquet(result: Result, output: Path | None) -> None:
    import pyarrow.parquet as pq

    if output is None and sys.stdout.isatty():
        raise SettingsError("Parquet is not for terminals", hint="add --output FILE.parquet")
    if output is None:
        sys.stdout.flush()
        with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as pipe, pq.ParquetWriter(pipe, result.schema) as writer:
            for batch in result.rows.batches():
                writer.write_batch(batch)
        return
    # Beside the target and then renamed: whoever reads the target never sees half of it.
    partial = output.with_name(f"{output.name}.partial")
    try:
        with pq.ParquetWriter(partial, result.schema) as writer:
            for batch in result.rows.batches():
                writer.write_batch(batch)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
