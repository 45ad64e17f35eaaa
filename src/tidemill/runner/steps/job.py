"""What a step is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tidemill.registry.lineage import name_of
from tidemill.runner.execute import OpenQuery, open_query
from tidemill.warehouse.control import leases
from tidemill.warehouse.control.assets import Asset

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.files import FileReads
    from tidemill.runner.stations import Stations
    from tidemill.sql.bound import BoundQuery
    from tidemill.sql.statements import InsertInto, Query, Statement
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.control.leases import Lease
    from tidemill.warehouse.protocol import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run as its steps see it: the stations, who runs, and what the statements are.

    Parameters
    ----------
    snapshot
        The oldest snapshot of the warehouse in which everything a step reads is as it should be; None is the newest.
    insert
        Carries out INSERT; a project's files have none.
    forget_gone_files
        Whether an incremental table that is built whole may lose the rows of files that are gone.
    """

    stations: Stations
    run_id: str
    lease: Lease
    statement: Callable[[Step], Statement]
    views: Mapping[str, Query]
    origin: str = "file"
    snapshot: int | None = None
    insert: Callable[[Step, InsertInto, Job], Outcome] | None = None
    forget_gone_files: bool = False

    def session(self) -> Session:
        """A reader that sees what a step reads."""
        return self.stations.session(at_least=self.snapshot)

    def guard(self) -> None:
        """Refuse to go on when another run took over."""
        leases.require(self.stations.db, self.lease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a step that went well, and what its end must write besides.

    ``unchanged`` says that the asset is as it was: its readers have nothing to do on its account.
    """

    rows: int | None = None
    version: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    record: Callable[[Tx], None] | None = None
    unchanged: bool = False
    deleted: int = 0


Progress = Callable[[str, int, int], None]
"""Told a message, how much is done, and of how much (0 when unknown)."""


def asset_of(step: Step, statement: Statement | None, job: Job, *, version: int | None) -> Asset:
    """The record of what a step made, with which the next plan compares."""
    return Asset(
        name=step.asset,
        kind=step.kind,
        fingerprint=step.fingerprint,
        version=version,
        parts=step.parts,
        reads=step.reads,
        origin=job.origin,
        file=step.file,
        line=step.line,
        statement=statement.source.text if statement else "",
        dialect=statement.source.dialect if statement else "",
        run_id=job.run_id,
    )


def bind(
    query: Query, job: Job, session: Session, *, files: FileReads, loaded: dict[str, int] | None = None
) -> tuple[OpenQuery, BoundQuery]:
    """A query of the project, bound and opened on a session.

    Parameters
    ----------
    files
        How the files it names are read.
    loaded
        Filled with the versions of the models that the query names without a number (see `lineage.name_of`).
    """
    bound = job.stations.bind(query, views=job.views, files=files.sql)
    context = job.stations.context(session)

    def load(name: str, version: int | str | None) -> LoadedModel:
        model = context.load_model(name, version)
        if not isinstance(version, int) and loaded is not None:
            loaded[name_of(model.name, version)] = model.version
        return model

    return open_query(bound, replace(context, load_model=load)), bound
