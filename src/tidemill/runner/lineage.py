"""What a training is about to read, written down before it begins: the lineage of the version it will make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tidemill.core.errors import SourceError
from tidemill.core.names import asset_key, name_key
from tidemill.core.source_tables import lake_name
from tidemill.core.version import VERSION
from tidemill.core.who import current_user
from tidemill.registry.lineage import Lineage, made_with, source_digest
from tidemill.runner.inputs import file_digests
from tidemill.runner.shape import start_of
from tidemill.sources.patterns import is_remote
from tidemill.training.artifact import library_versions

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.runner.stations import Stations
    from tidemill.sql.bound import BoundQuery
    from tidemill.sql.statements import CreateModel, Query
    from tidemill.warehouse.protocol import Session


def lineage_of(
    step: Step,
    statement: CreateModel,
    bound: BoundQuery,
    *,
    stations: Stations,
    session: Session,
    views: Mapping[str, Query],
    loaded: Mapping[str, int],
    previous: int | None,
    run_id: str,
) -> Lineage:
    """Write down what a CREATE MODEL reads on a session.

    Parameters
    ----------
    loaded
        The versions of the models that the query named without one, as they were opened.
    previous
        The version that WARM_START begins from.
    """
    assert statement.query is not None  # noqa: S101 - the caller has refused it
    read = views_read(statement.query, views)
    return Lineage(
        statement=statement.source.text,
        dialect=statement.source.dialect,
        file=statement.source.file,
        line=statement.source.line,
        snapshot=session.version,
        tables=_table_versions(bound, stations, session),
        views={name: {"query": view.source.text, "dialect": view.source.dialect} for name, view in read.items()},
        models=dict(loaded),
        sources={source.name: step.reads.get(source.name, "") for source in bound.sources},
        files=file_digests(files_read(statement.query, read), root=stations.root, db=stations.db),
        reads=dict(step.reads),
        previous=previous,
        seed=stations.settings.seed,
        threads=stations.threads,
        code_version=VERSION,
        code_digest=source_digest(),
        libraries=made_with(stations.warehouse.describe(), library_versions()),
        who=current_user(),
        why=step.reason,
        run_id=run_id,
        step=step.name,
    )


def require_same_files(lineage: Lineage, statement: CreateModel, stations: Stations) -> None:
    """Refuse a version whose lineage would not be true: a file was written while training read it.

    Raises
    ------
    SourceError
        A file has another digest than before the training.
    """
    now = file_digests(lineage.files, root=stations.root, db=stations.db)
    for pattern, digests in lineage.files.items():
        if now[pattern] != digests:
            raise SourceError(
                f"{pattern} changed while {statement.name} was trained on it",
                where=start_of(statement.source),
                hint="run again when whoever writes the file is done",
                file=pattern,
            )


def live_reads(lineage: Lineage) -> list[str]:
    """A warning for each thing that a version read where nobody keeps what it held."""
    told = (
        "nobody keeps what it held: this version cannot be trained again on the same rows; keep them in a table first"
    )
    remote = [pattern for pattern in lineage.files if is_remote(pattern)]
    return [f"{name} is read where it is, and {told}" for name in [*lineage.sources, *remote]]


def views_read(query: Query, views: Mapping[str, Query]) -> dict[str, Query]:
    """The views a query reads, and those that they read, by name."""
    from tidemill.sql.reads import find_reads

    by_key = {name_key(name): name for name in views}
    found: dict[str, Query] = {}
    waiting = [query]
    while waiting:
        for table in find_reads(waiting.pop())[0]:
            name = by_key.get(name_key(lake_name(table)))
            if name is not None and name not in found:
                found[name] = views[name]
                waiting.append(found[name])
    return found


def files_read(query: Query, views: Mapping[str, Query]) -> list[str]:
    """The patterns of files that a query reads itself, or through views."""
    from tidemill.sql.reads import find_reads

    return list(dict.fromkeys(file for one in (query, *views.values()) for file in find_reads(one)[2]))


def _table_versions(bound: BoundQuery, stations: Stations, session: Session) -> dict[str, int]:
    """The version of each table at the session's snapshot."""
    if session.version is None or not bound.tables:
        return {}
    versions = {asset_key(name): version for name, version in stations.warehouse.tables(session.version).items()}
    return {name: versions[asset_key(name)] for name in bound.tables if asset_key(name) in versions}
