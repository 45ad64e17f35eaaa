"""Look at a file and say how SQL reads all of it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tidemill.core.errors import SourceError
from tidemill.sources.csv_files import scan_csv
from tidemill.sources.files import FileScan, Reader, keep_rows
from tidemill.sources.json_files import JsonRead

READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}


def scan_file(reader: Reader, path: Path) -> FileScan:
    """Look at a file and say how SQL reads all of it.

    Raises
    ------
    SourceError
        There is no such file, its kind is unknown, it is empty, or its rows do not fit one another.
    """
    name = path.name.lower()
    suffix = Path(name[:-3]).suffix if name.endswith(".gz") else Path(name).suffix
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise SourceError(f"{path} {what}", hint="give the path of a CSV or Parquet file")
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise SourceError(
            f"cannot tell what kind of file {path.name} is", hint=f"its name should end in one of {known}"
        )
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty", hint="give a file with at least one row")
    scan = FileScan(path=path.resolve(), reader=READERS[suffix])
    if scan.reader == "read_json":
        return _scan_json(reader, scan)
    return scan_csv(reader, scan) if scan.reader == "read_csv" else scan


def _scan_json(reader: Reader, scan: FileScan) -> FileScan:
    """Keep the rows as a statement would read them, which rounds no long number."""
    with tempfile.TemporaryDirectory(prefix="tidemill-json-") as scratch:
        read = JsonRead([(scan.path, scan.path.name)], reader, scratch=Path(scratch), max_bad_rows=0)
        kept = keep_rows(reader, scan, f"({read.sql()})")
        return replace(kept, notes=read.notes)
