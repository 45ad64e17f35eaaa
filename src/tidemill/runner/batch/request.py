"""What a batch is asked to do, in the words of the command, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import NotFoundError, SettingsError, StateError
from tidemill.core.names import did_you_mean
from tidemill.registry.aliases import resolve
from tidemill.warehouse.control.deployments import find_deployment, list_deployments
from tidemill.warehouse.control.models import list_models

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.models import ModelVersion

#: Rows of a chunk. A whole number of the batches that scorers are given: how a batch is cut never depends on where a
#: job was taken up.
CHUNK_ROWS = 1 << 20
BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One batch.

    Parameters
    ----------
    model
        ``name``, ``name@alias``, or with ``deployment`` the name of a deployment, whose champion is meant.
    input
        A table, a view, or a file or pattern of files; '' with ``query``.
    query
        A query in ``dialect`` whose rows are scored.
    output
        A table, or a file whose name says its format.
    columns
        Output columns to keep, in this order; all when empty.
    settings
        Settings of ML.PREDICT.
    here
        Where relative file names begin.
    again
        Score although the same request was carried out before.
    """

    model: str
    output: str
    input: str = ""
    query: str = ""
    dialect: str = ""
    version: int | None = None
    deployment: bool = False
    columns: tuple[str, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    chunk_rows: int = CHUNK_ROWS
    here: Path = Path()
    again: bool = False
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What came of a batch.

    Parameters
    ----------
    rows, chunks
        Of the whole job.
    rows_before, chunks_before
        Those that earlier attempts had scored.
    already
        The job had been done before: nothing was scored.
    notes
        What a person should know: earlier jobs that were given up, and why.
    """

    job_id: str
    model: str
    version: int
    digest: str
    input: str
    output: str
    rows: int
    chunks: int
    rows_before: int = 0
    chunks_before: int = 0
    already: bool = False
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        told = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return told | {"seconds": round(self.seconds, 3), "notes": list(self.notes)}


Listener = Callable[[int, int], None]
"""Told after each chunk how many rows are scored, and the chunk's number."""


def check_request(request: BatchRequest) -> None:
    """Refuse a request that says too much or too little."""
    if bool(request.input) == bool(request.query):
        raise SettingsError("say what to score: --input or --query, one of the two")
    if request.chunk_rows < BATCH_ROWS or request.chunk_rows % BATCH_ROWS:
        raise SettingsError(f"a chunk has a multiple of {BATCH_ROWS:,} rows", hint=f"--chunk-rows {CHUNK_ROWS}")


def find_version(stations: Stations, request: BatchRequest) -> ModelVersion:
    """The version that scores.

    Raises
    ------
    NotFoundError
        There is no such model, version, alias or deployment.
    """
    if request.deployment:
        return _champion(stations, request)
    name = request.model.partition("@")[0]
    models = {model.name.casefold() for model in list_models(stations.db)}
    if name.casefold() not in models and find_deployment(stations.db, name) is not None:
        raise NotFoundError(
            f"there is no model {name}; a deployment has that name", hint=f"tidemill predict {name} --deployment ..."
        )
    return resolve(stations.db, request.model, request.version)


def _champion(stations: Stations, request: BatchRequest) -> ModelVersion:
    found = find_deployment(stations.db, request.model)
    if found is None:
        known = [one.name for one in list_deployments(stations.db)]
        raise NotFoundError(f"there is no deployment {request.model}", hint=did_you_mean(request.model, known))
    if request.version is not None:
        raise SettingsError("a deployment says the version itself", hint="leave out --version or --deployment")
    if found.champion is None:
        raise StateError(f"deployment {found.name} has no champion", hint=f"tidemill deploy {found.name}")
    return resolve(stations.db, found.model, found.champion)
