"""The bytes of a file as its writer meant them: compressed ones unpacked, and checked to their end."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from tidemill.core.errors import SourceError

COMPRESSED = (".gz", ".zst")
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "a zip archive", b"PAR1": "Parquet"}


def is_compressed(path: Path) -> bool:
    """Whether a file's name says that it is compressed."""
    return path.name.lower().endswith(COMPRESSED)


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked. The engine takes a cut or damaged gzip file as it comes: this does not.

    Raises
    ------
    SourceError
        The file is not there, may not be read, or is compressed and cut or damaged.
    """
    try:
        with _open(path) as file:
            yield file
    except EOFError as error:
        raise SourceError(
            f"{path.name} is cut: the compressed data ends in the middle", hint="fetch it again", file=str(path)
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{path.name} is damaged: {error}", hint="fetch it again, or name it without .gz if it is not compressed",
            file=str(path),
        ) from error  # fmt: skip
    except FileNotFoundError as error:
        raise SourceError(
            f"{path.name} is gone: it was there a moment ago", hint="run again when whoever moves it is done",
            file=str(path),
        ) from error  # fmt: skip
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error}", file=str(path)) from error


def _open(path: Path) -> IO[bytes]:
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if name.endswith(".zst"):
        import pyarrow as pa

        return cast("IO[bytes]", pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def blocks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The bytes of a file, so many at a time."""
    while block := file.read(size):
        yield block


def what_it_is(head: bytes) -> str:
    """What the first bytes of a file say that it is, if it is something else than text; '' when they do not."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")
