"""Where scored rows go. Each chunk is on disk, durable and hashed, before it counts; the output appears at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.errors import BindError, ExistsError, SettingsError
from tidemill.core.names import asset_key
from tidemill.runner.batch.source import is_file
from tidemill.warehouse.control.assets import Asset, load_assets, save_asset
from tidemill.warehouse.control.scoring import ScoringChunk, ScoringJob
from tidemill.warehouse.control.tables import save_table_version
from tidemill.warehouse.protocol import DataFile, Staged, TableVersion

if TYPE_CHECKING:
    from tidemill.core.rows import Rows
    from tidemill.runner.batch.request import BatchRequest
    from tidemill.runner.batch.source import Source
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session

STEP = "publish"
"""With the job's id, the name under which the lake knows the version that a job made."""

_CHUNK = "tm_chunk"


class Output(Protocol):
    """A table or a file that a job fills."""

    @property
    def shown(self) -> str:
        """Its name in the log; one name, one output."""

    def check(self, source: Source) -> None:
        """Refuse what could not be written, before any row is scored."""

    def stands(self, version: Mapping[str, Any]) -> bool:
        """Whether the output is still what a job that is done has left."""

    def landed(self, job: ScoringJob) -> bool:
        """Whether the job's rows are visible, though nobody wrote that down."""

    def intact(self, job: ScoringJob, chunks: Sequence[ScoringChunk]) -> int:
        """How many of the first chunks of an interrupted job are still there, as they were written."""

    def write(self, job: ScoringJob, number: int, rows: Rows, session: Session) -> Mapping[str, Any]:
        """Put a chunk on disk; what is needed to find it again."""

    def finish(self, job: ScoringJob, chunks: Sequence[ScoringChunk], guard: Callable[[], None]) -> Mapping[str, Any]:
        """Let the whole appear at once; what the job leaves."""

    def record(self, tx: Tx, job: ScoringJob, version: Mapping[str, Any]) -> None:
        """Write down what was made, together with the job's end."""

    def clean(self, job: ScoringJob, chunks: Sequence[ScoringChunk]) -> None:
        """Take away what a job put aside."""


def open_output(stations: Stations, request: BatchRequest) -> Output:
    """The output that a request names."""
    from tidemill.runner.batch.files import FileOutput

    if is_file(request.output):
        return FileOutput.of(stations, request)
    return TableOutput(stations, request.output)


class TableOutput:
    """A table of the lake: chunks are staged side by side, and one transaction publishes them as a new version."""

    def __init__(self, stations: Stations, table: str) -> None:
        self._stations = stations
        self._table = table.removeprefix("main.") if table.casefold().startswith("main.") else table
        self._staged: Staged | None = None

    @property
    def shown(self) -> str:
        """The table's key."""
        return asset_key(self._table)

    def check(self, source: Source) -> None:
        """Refuse a name that something else has, or that the project's files make."""
        parts = self._table.split(".")
        if len(parts) > 2 or not all(parts) or asset_key(parts[0]).startswith("tidemill"):
            raise BindError(
                f"{self._table!r} is not a table's name", hint="use NAME or DATASET.NAME; files end in .parquet or .csv"
            )
        if self.shown in source.facts["tables"]:
            raise SettingsError(f"the output {self._table} is also read", hint="choose another name for the output")
        found = load_assets(self._stations.db).get(self.shown)
        if found is None:
            return
        if found.origin == "file":
            raise ExistsError(
                f"{found.name} is made by {found.file}:{found.line}",
                hint="choose another output, or write CREATE TABLE ... AS SELECT ... FROM ML.PREDICT(...) there",
            )
        if found.kind not in ("table", "load"):
            raise ExistsError(f"{found.name} is a {found.kind}", hint="choose another output")

    def stands(self, version: Mapping[str, Any]) -> bool:
        """Whether the table's newest version is the job's."""
        newest = self._stations.warehouse.newest([self._table])
        return newest is not None and newest.version == version.get("table_version")

    def landed(self, job: ScoringJob) -> bool:
        """Ask the lake, which knows who made each version."""
        return self._stations.warehouse.landed(job.job_id, STEP) is not None

    def intact(self, job: ScoringJob, chunks: Sequence[ScoringChunk]) -> int:
        """The first chunks whose staged files have their digests."""
        good = 0
        for chunk in chunks:
            staged = self._stations.warehouse.staged_again(self._table, [_data_file(chunk)], attempt=job.job_id)
            if staged is None:
                break
            self._staged = staged
            good += 1
        return good

    def write(self, job: ScoringJob, number: int, rows: Rows, session: Session) -> Mapping[str, Any]:  # noqa: ARG002
        """Stage a chunk."""
        self._staged = self._stations.warehouse.stage(
            session, f"SELECT * FROM {_CHUNK}", {_CHUNK: rows}, table=self._table, attempt=job.job_id
        )
        file = self._staged.files[0]
        return {"path": file.path, "sha256": file.sha256, "bytes": file.bytes}

    def finish(self, job: ScoringJob, chunks: Sequence[ScoringChunk], guard: Callable[[], None]) -> Mapping[str, Any]:
        """Publish all chunks as one version."""
        landed = self._stations.warehouse.landed(job.job_id, STEP)
        if landed is None:
            assert self._staged is not None  # noqa: S101 - a job has a chunk, be it empty
            whole = Staged(
                table=self._table,
                columns=self._staged.columns,
                files=tuple(_data_file(chunk) for chunk in chunks),
                rows=sum(chunk.rows for chunk in chunks),
                relation="",
            )
            message = f"{job.model} version {job.version} scored {job.input}"
            landed = self._stations.warehouse.publish(whole, run_id=job.job_id, step=STEP, guard=guard, message=message)
        return {"table_version": landed.version}

    def record(self, tx: Tx, job: ScoringJob, version: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write the version down, and the table among the assets."""
        landed = self._stations.warehouse.landed(job.job_id, STEP)
        assert landed is not None  # noqa: S101 - `finish` has returned
        save_table_version(tx, landed, fingerprint=job.request_key or job.job_id)
        save_asset(tx, _asset(job, landed))

    def clean(self, job: ScoringJob, chunks: Sequence[ScoringChunk]) -> None:
        """Remove staged files that were not published."""
        files = tuple(_data_file(chunk) for chunk in chunks)
        if not files:
            return
        self._stations.warehouse.staged_again(self._table, files[:1], attempt=job.job_id)
        self._stations.warehouse.discard(Staged(table=self._table, columns=(), files=files, rows=0, relation=""))


def _data_file(chunk: ScoringChunk) -> DataFile:
    place = chunk.place
    return DataFile(path=place["path"], sha256=place["sha256"], bytes=place["bytes"], rows=chunk.rows)


def _asset(job: ScoringJob, landed: TableVersion) -> Asset:
    reads = {name: f"version {version}" for name, version in job.input_version.get("tables", {}).items()}
    return Asset(
        name=landed.table,
        kind="table",
        fingerprint=job.request_key or job.job_id,
        version=landed.version,
        reads={job.model: job.digest, **reads},
        origin="sql",
        statement=f"-- tidemill predict {job.model} --version {job.version} --output {landed.table}",
        dialect="duckdb",
        run_id=job.job_id,
    )
