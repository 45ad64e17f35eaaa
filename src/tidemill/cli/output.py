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
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from tidemill.core.csv_cells import harmless
from tidemill.core.errors import SettingsError, SourceError, SpaceError
from tidemill.core.words import count
from tidemill.runner.result import Result, cut, show, text_table


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    vertical = "vertical"
    csv = "csv"
    json = "json"
    parquet = "parquet"


TEXTS = {Format.table, Format.vertical}
WIDEST_ON_TERMINAL = 48
WIDEST_LIST = 160
"""Lists and structs are cut here in tables that do not end on a terminal: the texts beside them stay readable."""


def write_results(results: Iterable[Result], format_: Format, *, output: Path | None = None, limit: int = 100) -> None:
    """Write what statements answered: text shows each in order, a file for programs holds the last rows asked for."""
    if format_ not in TEXTS:
        write_result(_last(results), format_, output=output)
        return
    texts = (as_text(one, format_, limit=limit, width=0 if output else _terminal_width(sys.stdout)) for one in results)
    if output is None:
        for number, text in enumerate(texts):
            print(("\n" if number else "") + text, flush=True)
        return
    write_text("\n\n".join(texts) + "\n", output)  # the file is opened when all went well


def write_text(text: str, output: Path) -> None:
    """Write a text to a file.

    Raises
    ------
    SourceError
        The place cannot be written.
    SpaceError
        The disk is full.
    """
    with _translated(output):
        output.write_text(text, encoding="utf-8", newline="")


def _last(results: Iterable[Result]) -> Result:
    """The last result that was asked for, else the last answer; standard error is told of those left out."""
    last: Result | None = None
    asked = 0
    for result in results:
        asked += result.asked_for
        if last is None or result.asked_for or not last.asked_for:
            last = result
    if asked > 1:
        print(f"note: {count(asked - 1, 'result')} left out: only the last is written in this format", file=sys.stderr)
    assert last is not None  # noqa: S101 - a text without statements is refused
    return last


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
            if format_ in TEXTS:
                print(as_text(result, format_, limit=limit, width=_terminal_width(stream)), file=stream)
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


def _terminal_width(stream: IO[str]) -> int:
    return shutil.get_terminal_size().columns if stream.isatty() else 0


def as_text(result: Result, format_: Format, *, limit: int = 100, width: int = 0) -> str:
    """Rows as a person reads them, in one of the two formats for people."""
    return (
        as_vertical(result, limit=limit) if format_ is Format.vertical else as_table(result, limit=limit, width=width)
    )


def as_vertical(result: Result, *, limit: int = 100) -> str:
    """Rows as one line a column, whole; several rows are numbered."""
    rows, more = result.head(limit) if limit else (result.fetchall(), False)
    if not result.columns:
        return "done"
    lines: list[str] = []
    for number, row in enumerate(rows, start=1):
        if len(rows) > 1:
            lines.append(f"-- row {number}")
        lines += _upright(result.columns, row)
    return "\n".join(lines + _tail(rows, more=more, limit=limit))


def _upright(columns: list[str], row: tuple[object, ...]) -> list[str]:
    widest = max(map(len, columns)) + 1
    return [f"{name + ':':<{widest}} {cut(show(value), 0)}" for name, value in zip(columns, row, strict=True)]


def _tail(rows: list[tuple[Any, ...]], *, more: bool, limit: int) -> list[str]:
    if more:
        return [f"... more than {count(limit, 'row')}: --limit 0 prints all, --format csv is for files"]
    return [] if rows else ["(no rows)"]


def as_table(result: Result, *, limit: int = 100, width: int = 0) -> str:
    """Rows as aligned text.

    Parameters
    ----------
    limit
        Rows shown at most; 0 shows all.
    width
        Columns of the terminal: a single row that is wider stands upright, more are cut. 0 cuts only long lists.
    """
    rows, more = result.head(limit) if limit else (result.fetchall(), False)
    if not result.columns:
        return "done"
    shown = rows if width else [tuple(map(_short, row)) for row in rows]
    lines = text_table(result.columns, shown, widest=WIDEST_ON_TERMINAL if width else 10_000).split("\n")
    if not width or max(map(len, lines)) <= width:
        return "\n".join(lines + _tail(rows, more=more, limit=limit))
    if len(rows) == 1:
        lines = _upright(result.columns, rows[0])
    else:
        lines.append("(wider than the terminal: --format vertical shows all)")
    lines = [cut(line, width) for line in lines]
    return "\n".join(lines + _tail(rows, more=more, limit=limit))


def _short(value: object) -> object:
    return cut(show(value), WIDEST_LIST) if isinstance(value, list | dict) else value


def write_csv(result: Result, stream: IO[str]) -> None:
    """Write a header and a line a row; NULL is empty, lists and structs are JSON; no text is a formula."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([harmless(name) for name in result.columns])
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
    return harmless(value) if isinstance(value, str) else plain(value)


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
