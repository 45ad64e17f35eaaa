"""One batch, from the request to the output: the claim, what an earlier attempt left, the chunks, the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.core.digest import digest_value
from tidemill.core.errors import BindError, ConflictError, TidemillError
from tidemill.core.faults import fault
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.rows import Rows
from tidemill.runner.batch.chunks import Cutter
from tidemill.runner.batch.outputs import Output, open_output
from tidemill.runner.batch.request import BatchReport, BatchRequest, Listener, check_request, find_version
from tidemill.runner.batch.source import COPY, Source, copy_input, is_file, open_source, require_same_files
from tidemill.runner.call import FunctionCall
from tidemill.runner.execute import QueryInput
from tidemill.warehouse.control import leases, scoring
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.scoring import ScoringChunk, ScoringJob
from tidemill.warehouse.protocol import DataFile, Staged

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.leases import Lease
    from tidemill.warehouse.control.models import ModelVersion

# Raised when the same request would give other rows, or put them elsewhere.
FORMAT = 1


def predict(stations: Stations, request: BatchRequest, *, listen: Listener = lambda _rows, _chunk: None) -> BatchReport:
    """Score a batch, or the rest of one that was interrupted.

    Raises
    ------
    TidemillError
        Nothing of the output is visible; the chunks that were finished are kept for the same request.
    """
    check_request(request)
    started = stations.clock.monotonic()
    version = find_version(stations, request)
    output = open_output(stations, request)
    with open_source(stations, request) as opened:
        output.check(opened)
        # Lines of a file may be joined by their places: none is left out there.
        source, left_out = (opened, ()) if is_file(request.output) else opened.without_erased(stations)
        task = _Task(stations=stations, request=request, version=version, output=output, source=source)
        predicted_rows(task, source, 0, many=None)  # columns that are missing or of another kind are told here
        lease_s = float(stations.settings.lease_seconds)
        name = f"scoring {digest_value(output.shown)[:16]}"
        with leases.held(stations.db, name, this_process(), ttl_s=lease_s) as lease:
            report = _claimed(task, lease, listen)
    notes = (*report.notes, *left_out)
    return replace(report, notes=notes, seconds=stations.clock.monotonic() - started)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A request with everything it names found and opened."""

    stations: Stations
    request: BatchRequest
    version: ModelVersion
    output: Output
    source: Source

    @property
    def key(self) -> str:
        """What the rows depend on and where they go: the same key, the same job."""
        version, request = self.version, self.request
        facts = {
            "format": FORMAT,
            "model": [name_key(version.name), version.version, version.digest],
            "input": [self.source.shown, dict(self.source.facts)],
            "columns": list(request.columns),
            "settings": [list(pair) for pair in request.settings],
            "output": self.output.shown,
        }
        return digest_value(facts)

    def load(self) -> LoadedModel:
        return self.stations.load_model(self.version.name, self.version.version)


def predicted_rows(task: _Task, source: Source, first_row: int, *, many: bool | None) -> Rows:
    """What ML.PREDICT gives for the rows from one on.

    Raises
    ------
    BindError
        A column that the model needs, or one that was asked for, is not there.
    """
    from tidemill.runner.functions.predict import predict as ml_predict
    from tidemill.sql.functions import ML_FUNCTIONS
    from tidemill.sql.options import check_settings

    wanted = task.request.columns
    call = FunctionCall(
        function="ML.PREDICT",
        model=task.load(),
        inputs=(QueryInput(source.rest(first_row), source.session),),
        settings=check_settings(ML_FUNCTIONS["ML.PREDICT"], dict(task.request.settings)),
        wanted=frozenset(map(name_key, wanted)) if wanted else None,
        threads=task.stations.threads,
        many=many,
    )
    rows = ml_predict(call)
    return _selected(rows, wanted, ml_predict(replace(call, wanted=None)).schema.names) if wanted else rows


def _selected(rows: Rows, wanted: Sequence[str], known: Sequence[str]) -> Rows:
    """The wanted columns, in their order."""
    import pyarrow as pa

    by_key = {name_key(name): name for name in rows.schema.names}
    for name in wanted:
        if name_key(name) not in by_key:
            raise BindError(f"there is no column {name} in what ML.PREDICT gives", hint=did_you_mean(name, known))
    names = list(dict.fromkeys(by_key[name_key(name)] for name in wanted))
    schema = pa.schema([rows.schema.field(name) for name in names])
    return Rows(schema, lambda: (batch.select(names) for batch in rows.batches()))


def _claimed(task: _Task, lease: Lease, listen: Listener) -> BatchReport:
    """The job of a request while nobody else fills its output."""
    db = task.stations.db
    notes = _give_up_others(task)
    job = scoring.find_job(db, task.key)
    if job is not None and job.status == "done":
        fresh = task.source.pinned and not task.request.again
        if fresh and job.output_version is not None and task.output.stands(job.output_version):
            return _report(job, scoring.list_chunks(db, job.job_id), before=None, notes=notes)
        scoring.forget_request(db, job.job_id)
        if not task.request.again and task.source.pinned:
            notes.append(f"{task.output.shown} is no longer what job {job.job_id} left: it is scored anew")
        job = None
    if job is not None and task.request.again:
        _give_up(task, job)
        job = None
    if job is None:
        job = _new_job(task)
        scoring.add_job(db, job)
    else:
        scoring.begin_again(db, job.job_id)
    try:
        return _carry_out(task, job, lease, listen, notes)
    except ConflictError:
        raise  # another process has taken over: the job is its own now
    except TidemillError as error:
        scoring.finish_job(db, job.job_id, status="failed", error=error.as_json())
        raise
    except KeyboardInterrupt:
        scoring.finish_job(db, job.job_id, status="failed")
        raise


def _carry_out(task: _Task, job: ScoringJob, lease: Lease, listen: Listener, notes: list[str]) -> BatchReport:
    db, output = task.stations.db, task.output
    chunks = scoring.list_chunks(db, job.job_id)
    before = len(chunks)
    if not output.landed(job):
        source, fresh = _stable_source(task, job)
        if fresh:
            scoring.drop_chunks(db, job.job_id)
            chunks = []
        before = _keep_intact(task, job, chunks, notes)
        chunks = _score(task, job, source, chunks[:before], lease, listen)
        require_same_files(task.stations, task.source)
    fault("batch.before_finish")
    version = output.finish(job, chunks, lambda: leases.require(db, lease))
    fault("batch.before_record")
    with db.write() as tx:
        leases.require(tx, lease)
        output.record(tx, job, version)
        rows = sum(chunk.rows for chunk in chunks)
        scoring.finish_job(tx, job.job_id, status="done", rows=rows, output_version=version)
    fault("batch.before_clean")
    output.clean(job, chunks)
    _drop_copy(task, job)
    return _report(job, chunks, before=before, notes=notes)


def _keep_intact(task: _Task, job: ScoringJob, chunks: Sequence[ScoringChunk], notes: list[str]) -> int:
    """How many chunks of an earlier attempt count; the others are forgotten."""
    good = task.output.intact(job, chunks)
    if good < len(chunks):
        notes.append(f"chunks from number {good} on are missing or damaged: they are scored again")
        scoring.drop_chunks(task.stations.db, job.job_id, from_chunk=good)
    return good


def _score(
    task: _Task, job: ScoringJob, source: Source, chunks: list[ScoringChunk], lease: Lease, listen: Listener
) -> list[ScoringChunk]:
    """Score what is left, a chunk at a time."""
    from tidemill.serving.scorer import MANY_ROWS

    db = task.stations.db
    first_row = sum(chunk.rows for chunk in chunks)
    # The engine that scores is chosen by the number of all rows: the rest must be scored as the beginning was.
    many = source.has_more_than(MANY_ROWS) if chunks else None
    cutter = Cutter(predicted_rows(task, source, first_row, many=many))
    while cutter.more() or not chunks:
        number = len(chunks)
        place = task.output.write(job, number, cutter.take(task.request.chunk_rows), source.session)
        chunk = ScoringChunk(chunk=number, first_row=first_row, rows=cutter.taken, place=place)
        fault("batch.before_chunk")
        with db.write() as tx:
            leases.require(tx, lease)
            scoring.add_chunk(tx, job.job_id, chunk)
        fault("batch.after_chunk")
        chunks.append(chunk)
        first_row += chunk.rows
        listen(first_row, number)
    return chunks


def _stable_source(task: _Task, job: ScoringJob) -> tuple[Source, bool]:
    """The input in one order; whether earlier chunks, if any, are of another order and must go."""
    if task.source.stable:
        return task.source, False
    stations, db = task.stations, task.stations.db
    if job.input_copy is not None:
        staged = stations.warehouse.staged_again(COPY, [_file(job.input_copy)], attempt=f"{job.job_id}-input")
        if staged is not None:
            return task.source.copied(staged.relation), False
    file, relation = copy_input(stations, task.source, job.job_id)
    scoring.set_input_copy(
        db, job.job_id, {"path": file.path, "sha256": file.sha256, "bytes": file.bytes, "rows": file.rows}
    )
    return task.source.copied(relation), True


def _drop_copy(task: _Task, job: ScoringJob) -> None:
    """Remove the copy of the input."""
    db, warehouse = task.stations.db, task.stations.warehouse
    current = next((one for one in scoring.list_jobs(db) if one.job_id == job.job_id), job)
    if current.input_copy is not None:
        files = (_file(current.input_copy),)
        warehouse.staged_again(COPY, files, attempt=f"{job.job_id}-input")  # a folder that is claimed can be removed
        warehouse.discard(Staged(table=COPY, columns=(), files=files, rows=0, relation=""))
        scoring.set_input_copy(db, job.job_id, None)


def _file(facts: Mapping[str, Any]) -> DataFile:
    return DataFile(path=facts["path"], sha256=facts["sha256"], bytes=facts["bytes"], rows=facts["rows"])


def _give_up_others(task: _Task) -> list[str]:
    """Interrupted jobs for the same output that asked for something else are not gone on with; says why."""
    notes = []
    for other in scoring.open_jobs(task.stations.db, task.output.shown, "predict"):
        if other.request_key != task.key:
            done = _give_up(task, other)
            why = _difference(task, other)
            notes.append(f"job {other.job_id} ({done:,} rows scored) is given up: {why}; this is a new job")
    return notes


def _give_up(task: _Task, job: ScoringJob) -> int:
    chunks = scoring.list_chunks(task.stations.db, job.job_id)
    task.output.clean(job, chunks)
    _drop_copy(task, job)
    scoring.finish_job(task.stations.db, job.job_id, status="abandoned", forget=True)
    return sum(chunk.rows for chunk in chunks)


def _difference(task: _Task, other: ScoringJob) -> str:
    version = task.version
    if (name_key(other.model), other.version) != (name_key(version.name), version.version):
        return f"it was scored by {other.model} version {other.version}, not {version.name} version {version.version}"
    if other.input != task.source.shown:
        return "it read another input"
    then = {name: value for name, value in other.input_version.items() if name != "snapshot"}
    if then != dict(task.source.facts):
        return "its input changed since"
    return "it was asked for other columns or settings"


def _new_job(task: _Task) -> ScoringJob:
    return ScoringJob(
        job_id=task.stations.clock.new_id(),
        request_key=task.key,
        kind="predict",
        model=task.version.name,
        version=task.version.version,
        digest=task.version.digest,
        input=task.source.shown,
        input_version=task.source.version,
        output=task.output.shown,
        who=task.request.who,
    )


def _report(
    job: ScoringJob, chunks: Sequence[ScoringChunk], *, before: int | None, notes: Sequence[str]
) -> BatchReport:
    kept = len(chunks) if before is None else before
    return BatchReport(
        job_id=job.job_id,
        model=job.model,
        version=job.version,
        digest=job.digest,
        input=job.input,
        output=job.output,
        rows=sum(chunk.rows for chunk in chunks),
        chunks=len(chunks),
        rows_before=sum(chunk.rows for chunk in chunks[:kept]),
        chunks_before=kept,
        already=before is None,
        notes=tuple(notes),
    )
