"""A recorded CREATE MODEL opened again on exactly what it read: the same snapshot, views, models and files.

``retrain`` trains from it and registers nothing; `runner.held_out` reads its evaluation rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tidemill.core.errors import NotFoundError, StateError
from tidemill.core.names import name_key
from tidemill.registry.lineage import Lineage, name_of, read_lineage
from tidemill.runner.execute import open_query
from tidemill.runner.files import FileReads
from tidemill.runner.inputs import file_digests
from tidemill.runner.shape import start_of
from tidemill.sources.patterns import is_remote
from tidemill.training.artifact import BASELINE
from tidemill.training.result import TrainedModel, artifact_digest
from tidemill.training.task import Progress, TrainTask, no_progress

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.execute import Context
    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import CreateModel, Query
    from tidemill.warehouse.control.models import ModelVersion
    from tidemill.warehouse.protocol import Session

AGAIN = "train the model again: the new version can be read again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A training as it was, ready to be done again while its session is open."""

    task: TrainTask
    lineage: Lineage


@contextmanager
def pinned_training(stations: Stations, version: ModelVersion, *, progress: Progress = no_progress) -> Iterator[Pinned]:
    """Bind and open the statement of a version against what was recorded of it.

    Raises
    ------
    StateError
        It cannot be read again: nothing was recorded, the snapshot is gone, a file changed or is remote.
    CorruptError
        A data file of the snapshot is damaged.
    """
    from tidemill.sql.options import check_create_model

    label = f"model {version.name} version {version.version}"
    lineage = read_lineage(version.lineage)
    if not lineage.pinned:
        raise StateError(f"what {label} read was not recorded when it was trained", hint=AGAIN)
    statement = recorded_statement(lineage, label)
    assert statement.query is not None  # noqa: S101 - it was trained
    _require_files(lineage, label, stations)
    if lineage.sources:
        name = next(iter(lineage.sources))
        raise StateError(
            f"{label} read {name} from a live database: nobody can say what it held then",
            hint=f"keep such rows in a table: CREATE TABLE ... AS SELECT * FROM {name}",
            source=name,
        )
    checked = check_create_model(statement)
    with _session(lineage, label, stations) as session:
        files = FileReads(stations, session, sure=True)
        bound = stations.bind(statement.query, views=recorded_views(lineage), files=files.sql)
        stations.warehouse.require_intact(bound.tables, lineage.snapshot)
        opened = open_query(bound, _context(lineage, stations, session))
        files.require_same()
        yield Pinned(
            lineage=lineage,
            task=TrainTask(
                session=session,
                sql=opened.sql,
                relations=opened.relations,
                ordered=bound.ordered,
                name=version.name,
                model_type=checked.model_type,
                options=checked.values,
                given=checked.given,
                transform=statement.transform,
                previous=_previous(version, lineage, stations),
                seed=stations.settings.seed if lineage.seed is None else lineage.seed,
                threads=lineage.threads or stations.threads,
                where=start_of(statement.source),
                progress=progress,
            ),
        )


def retrain(stations: Stations, version: ModelVersion, *, progress: Progress = no_progress) -> TrainedModel:
    """Train a version again from its recorded snapshot, SQL, options, seed and threads; nothing is registered.

    The same libraries on the same kind of machine give the version's own digest. A version from before baselines were
    kept is trained again without one.

    Raises
    ------
    StateError
        It cannot be read again.
    """
    from tidemill.evaluation.judge import judge
    from tidemill.training.train import train

    with pinned_training(stations, version, progress=progress) as pinned:
        trained = train(pinned.task, judge=judge)
    if any(file.name == BASELINE for file in version.files):
        return trained
    files = {name: data for name, data in trained.files.items() if name != BASELINE}
    return replace(trained, files=files, digest=artifact_digest(files))


def recorded_statement(lineage: Lineage, label: str) -> CreateModel:
    """The CREATE MODEL statement that was recorded.

    Raises
    ------
    StateError
        It is none, or has no query.
    """
    from tidemill.sql.parse import parse_text
    from tidemill.sql.statements import CreateModel

    file, line = lineage.file or "<recorded>", max(lineage.line, 1)
    found = parse_text(lineage.statement, file=file, dialect=lineage.dialect, line=line)
    if len(found) != 1 or not isinstance(found[0], CreateModel) or found[0].query is None:
        raise StateError(f"the statement recorded for {label} is not a CREATE MODEL", hint=AGAIN)
    return found[0]


def recorded_views(lineage: Lineage) -> dict[str, Query]:
    """The views as they were then."""
    from tidemill.sql.parse import parse_text
    from tidemill.sql.statements import Select

    found: dict[str, Query] = {}
    for name, view in lineage.views.items():
        (statement,) = parse_text(view["query"], file=f"view {name}", dialect=view["dialect"])
        assert isinstance(statement, Select)  # noqa: S101 - a view's query was recorded
        found[name] = statement.query
    return found


def _require_files(lineage: Lineage, label: str, stations: Stations) -> None:
    now = file_digests(lineage.files, root=stations.root, db=stations.db)
    for pattern, digests in lineage.files.items():
        if is_remote(pattern):
            raise StateError(
                f"{label} read {pattern} from another machine: nobody can say whether it is still the same",
                hint="keep such rows in a table: CREATE TABLE ... AS SELECT * FROM that file",
                file=pattern,
            )
        changed = [path for path, digest in digests.items() if now[pattern].get(path) != digest]
        added = [path for path in now[pattern] if path not in digests]
        if changed or added:
            path = (changed or added)[0]
            what = "is gone" if path not in now[pattern] else "has changed" if changed else "was not there"
            raise StateError(
                f"{label} cannot be read again: the file {path} {what} since it was trained",
                hint="put the file back as it was, or keep its rows in a table: tables keep their versions",
                file=path,
            )


def _session(lineage: Lineage, label: str, stations: Stations) -> Session:
    if lineage.snapshot is None:
        return stations.session()
    try:
        return stations.session(at=lineage.snapshot)
    except NotFoundError as error:
        raise StateError(
            f"{label} cannot be read again: snapshot {lineage.snapshot} of the warehouse is gone",
            hint=AGAIN,
            snapshot=lineage.snapshot,
        ) from error


def _context(lineage: Lineage, stations: Stations, session: Session) -> Context:
    """A context in which a model without a number is the version that it was then."""
    then = {name_key(name): version for name, version in lineage.models.items()}

    def load(name: str, version: int | str | None) -> LoadedModel:
        if not isinstance(version, int):
            version = then.get(name_key(name_of(name, version)), version)
        return stations.load_model(name, version)

    return replace(stations.context(session), load_model=load)


def _previous(version: ModelVersion, lineage: Lineage, stations: Stations) -> dict[str, bytes] | None:
    if lineage.previous is None:
        return None
    return dict(stations.load_model(version.name, lineage.previous).files)
