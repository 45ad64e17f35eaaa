"""The bytes of a text file: their encoding, their lines, and files that are no text."""

from __future__ import annotations

import codecs
import gzip
import io
import re
from pathlib import Path
from typing import IO, cast

from tidemill.core.errors import SourceError, Where


def find_encoding(path: Path) -> tuple[str, int]:
    """The name under which the engine knows a file's encoding, and the first line that made it other than UTF-8.

    Raises
    ------
    SourceError
        The file is no text, or its encoding is not told from its bytes.
    """
    if _begins_as_utf16(path):
        return "utf-16", 1
    line = first_bad_utf8_line(path)
    if not line:
        return "utf-8", 0
    _refuse_other_than_latin(path)
    return "latin-1", line


def first_bad_utf8_line(path: Path) -> int:
    """The 1-based number of the first line that is not UTF-8; 0 when all are.

    Raises
    ------
    SourceError
        A byte is NUL, which no text has.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with _open_bytes(path) as file:
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return lines + error.object[: error.start].count(b"\n")
            if b"\0" in block:
                number = lines + block[: block.index(b"\0")].count(b"\n")
                raise SourceError(
                    f"{path.name} has a NUL byte on line {number}: it is no text file",
                    where=Where(file=path.name, line=number, column=1),
                    hint="write it anew as CSV in UTF-8",
                )
            lines += block.count(b"\n")
    return 0


def _begins_as_utf16(path: Path) -> bool:
    with _open_bytes(path) as file:
        return file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _refuse_other_than_latin(path: Path) -> None:
    """Latin-1 has no letters in bytes 80 to 9F: a file with those is in an encoding that is not told from its bytes."""
    with _open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            odd = re.search(rb"[\x80-\x9f]", line)
            if odd:
                raise SourceError(
                    f"{path.name} is neither UTF-8 nor Latin-1 text: byte 0x{odd[0].hex()} on line {number}",
                    where=Where(file=path.name, line=number, column=odd.start() + 1),
                    hint=f"save it as UTF-8, for instance: iconv -f CP1252 -t UTF-8 {path.name} > utf8.csv",
                )


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open for reading; line ends stay as they are."""
    return io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")


def count_lines(path: Path) -> int:
    """Lines that are not blank at the end; a last line without a newline counts."""
    lines, last = 0, b"\n"
    with _open_bytes(path) as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + int(last != b"\n")


def _open_bytes(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")
