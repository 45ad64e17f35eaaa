"""Ragged text files: an engine that guesses a file's shape may drop its first rows in silence; we look first."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import islice
from pathlib import Path
from typing import IO, cast

from tidemill.core.errors import SourceError, Where

DELIMITERS = ",;\t|"
# The engine guesses from its first 20,480 rows and holds later rows to that guess: these are the ones to look at.
LOOKED_AT = 20_480


def refuse_ragged(path: Path) -> None:
    """Look at the beginning of a delimited file: each row must have as many fields as the first.

    Raises
    ------
    SourceError
        A row has more or fewer; the message has its line.
    """
    with _open(path) as file:
        header = file.readline()
        delimiter = max(DELIMITERS, key=header.count)
        if not header.count(delimiter):
            return
        width = len(next(csv.reader([header], delimiter=delimiter)))
        file.seek(0)
        lines = csv.reader(file, delimiter=delimiter)
        try:
            for row in islice(lines, LOOKED_AT):
                if row and len(row) != width:
                    raise SourceError(
                        f"line {lines.line_num} of {path.name} has {len(row)} fields, the first line has {width}",
                        where=Where(file=str(path), line=lines.line_num, column=1),
                        hint="mend the line, or say how to read the file: FROM read_csv('...', null_padding = true)"
                        " fills short rows, skip = n passes over lines before the header,"
                        " store_rejects = true keeps bad rows apart",
                    )
        except csv.Error:
            return  # a field longer than Python's reader takes: the engine decides
        except UnicodeDecodeError:
            return  # the engine names the line


def _open(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(cast("IO[bytes]", gzip.open(path, "rb")), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
