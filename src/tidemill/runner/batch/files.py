"""Files as outputs: a chunk is a part file in a hidden folder beside the target, and the parts become one file.

Parquet's row groups are copied as they are (`parquet_join`), lines of CSV and JSON likewise: nothing is encoded twice.
The target appears, or is replaced, by one rename.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tidemill.core.digest import digest_file
from tidemill.core.errors import SettingsError, SourceError, SpaceError
from tidemill.core.faults import fault
from tidemill.runner.batch.parquet_join import join_parquet
from tidemill.runner.batch.texts import write_csv, write_json
from tidemill.warehouse.control.scoring import ScoringChunk, ScoringJob

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.rows import Rows
    from tidemill.runner.batch.request import BatchRequest
    from tidemill.runner.batch.source import Source
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session

FORMATS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_GROUP_ROWS = 122_880
_PIECE = 1 << 24


class FileOutput:
    """A file that a job writes."""

    def __init__(self, root: Path, path: Path, shown: str, format_: str) -> None:
        self._root = root
        self._path = path
        self._shown = shown
        self._format = format_

    @classmethod
    def of(cls, stations: Stations, request: BatchRequest) -> Self:
        """The file that a request names.

        Raises
        ------
        SettingsError
            Its ending is of no format that is written.
        """
        path = Path(os.path.normpath(request.here / request.output))
        format_ = FORMATS.get(path.suffix.lower())
        if format_ is None:
            raise SettingsError(
                f"no format is known by the ending of {request.output}",
                hint=f"end it in {', '.join(FORMATS)}; a table has no ending and no folder",
            )
        inside = path.is_relative_to(stations.root)
        return cls(stations.root, path, str(path.relative_to(stations.root)) if inside else str(path), format_)

    @property
    def shown(self) -> str:
        """The path, as seen from the project."""
        return self._shown

    def check(self, source: Source) -> None:
        """Refuse a place that cannot be written, and the input itself."""
        folder = self._path.parent
        if not folder.is_dir():
            raise SourceError(f"there is no folder {folder}", hint=f"make it: mkdir -p {folder}", file=str(self._path))
        if self._path.is_dir():
            raise SourceError(f"{self._path} is a folder", hint="name a file")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SourceError(f"the folder {folder} cannot be written", hint="check its owner and permissions")
        read = [self._root / file for digests in source.facts["files"].values() for file in digests]
        if self._path.resolve() in {file.resolve() for file in read}:
            raise SettingsError(f"the output {self._shown} is also read", hint="choose another name for the output")

    def stands(self, version: Mapping[str, Any]) -> bool:
        """Whether the file has the bytes that the job wrote."""
        try:
            size = self._path.stat().st_size
        except OSError:
            return False
        return size == version.get("bytes") and digest_file(self._path) == version.get("sha256")

    def landed(self, job: ScoringJob) -> bool:  # noqa: ARG002
        """The parts stay until the job's end is written down: it is put together again."""
        return False

    def intact(self, job: ScoringJob, chunks: Sequence[ScoringChunk]) -> int:
        """The first chunks whose part files have their digests."""
        good = 0
        for chunk in chunks:
            part = self._part(job, chunk.chunk)
            if not part.is_file() or digest_file(part) != chunk.place["sha256"]:
                break
            good += 1
        return good

    def write(self, job: ScoringJob, number: int, rows: Rows, session: Session) -> Mapping[str, Any]:
        """Write a part file, durable before it counts."""
        path = self._part(job, number)
        with _translated(self._path):
            path.parent.mkdir(exist_ok=True)
            _sync(path.parent.parent)
            if self._format == "parquet":
                _write_parquet(path, rows)
            else:
                with path.open("wb") as file:
                    if self._format == "csv":
                        write_csv(session, rows, file, header=number == 0)
                    else:
                        write_json(session, rows, file)
            fault("batch.before_sync")
            _sync(path)
            _sync(path.parent)
        return {"path": str(path.relative_to(self._path.parent)), "sha256": digest_file(path), "bytes": _size(path)}

    def finish(self, job: ScoringJob, chunks: Sequence[ScoringChunk], guard: Callable[[], None]) -> Mapping[str, Any]:
        """Put the parts together beside the target, and rename the whole into its place."""
        parts = [self._part(job, chunk.chunk) for chunk in chunks]
        whole = self._folder(job) / "whole"
        with _translated(self._path):
            if len(parts) == 1:
                _link(parts[0], whole)
                digest = chunks[0].place["sha256"]
            else:
                hashed = hashlib.sha256()
                if self._format == "parquet":
                    join_parquet(parts, whole, seen=hashed.update)
                else:
                    _join(parts, whole, seen=hashed.update)
                digest = hashed.hexdigest()
            fault("batch.before_rename_sync")
            _sync(whole)
            guard()
            fault("batch.before_rename")
            size = _size(whole)
            whole.replace(self._path)
            _sync(self._path.parent)
        return {"sha256": digest, "bytes": size}

    def record(self, tx: Tx, job: ScoringJob, version: Mapping[str, Any]) -> None:
        """A file is nobody's asset."""

    def clean(self, job: ScoringJob, chunks: Sequence[ScoringChunk]) -> None:  # noqa: ARG002
        """Remove the parts."""
        shutil.rmtree(self._folder(job), ignore_errors=True)

    def _folder(self, job: ScoringJob) -> Path:
        return self._path.with_name(f".{self._path.name[:100]}.{job.job_id}")

    def _part(self, job: ScoringJob, number: int) -> Path:
        return self._folder(job) / f"part-{number:06d}{self._path.suffix}"


def _write_parquet(path: Path, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for group in _grouped(rows.batches()):
            writer.write_table(pa.Table.from_batches(group, schema=rows.schema), row_group_size=_GROUP_ROWS)


def _grouped(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches in groups that make a row group."""
    group: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        group.append(batch)
        rows += batch.num_rows
        if rows >= _GROUP_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _join(parts: Sequence[Path], target: Path, *, seen: Callable[[bytes], None]) -> None:
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                while piece := file.read(_PIECE):
                    seen(piece)
                    out.write(piece)


def _link(part: Path, whole: Path) -> None:
    """The whole of one part. The part stays, should this process die before the end is written down."""
    whole.unlink(missing_ok=True)
    try:
        whole.hardlink_to(part)
    except OSError:  # a file system without links
        shutil.copyfile(part, whole)


def _size(path: Path) -> int:
    return path.stat().st_size


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SpaceError(
                f"the disk is full: {path} was not written",
                hint="free some space and give the same command again: finished chunks are kept",
                file=str(path),
            ) from error
        raise SourceError(
            f"cannot write {path}: {error.strerror or error}", hint="check the folder, and give the command again"
        ) from error
