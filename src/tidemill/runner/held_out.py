"""The rows a version was judged on, as they were: raw columns and the label, from the recorded snapshot.

Training splits rows by their values, so the same snapshot, SQL and options give the same rows again. They are what
gates, comparisons, model cards and rehearsals score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np  # noqa: TID253

from tidemill.core.errors import CorruptError
from tidemill.core.rows import Rows, rows_of_table
from tidemill.registry.lineage import read_lineage
from tidemill.runner.pinned import pinned_training
from tidemill.warehouse.control.erasures import flagged

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.runner.stations import Stations
    from tidemill.training.source import TrainingRows
    from tidemill.training.split import Split
    from tidemill.training.task import TrainTask
    from tidemill.warehouse.control.models import ModelVersion

# More rows than this are thinned out evenly: intervals get no narrower worth the memory.
MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Rows that a version was judged on.

    Parameters
    ----------
    table
        All columns of the training query, before TRANSFORM, in the rows' fixed order.
    label, weight, split
        Names of the columns that are not features; '' where there is none.
    kind
        ``evaluation``: training never saw them. ``training``: nothing was held out, these are the training rows.
    total
        How many there are; the table has fewer where they were thinned out.
    snapshot
        The snapshot of the warehouse they were read from.
    left_out
        Rows that were left out because another version was trained on them (`fair_rows`).
    """

    model: str
    version: int
    table: pa.Table
    label: str
    weight: str
    split: str
    kind: Literal["evaluation", "training"]
    total: int
    snapshot: int | None
    left_out: int = 0

    @property
    def rows(self) -> Rows:
        """The rows as stations hand them on."""
        return rows_of_table(self.table)

    @property
    def features(self) -> list[str]:
        """Names of the columns a prediction may read."""
        return [name for name in self.table.column_names if name not in (self.label, self.weight, self.split)]

    def sample(self, count: int) -> pa.Table:
        """At most ``count`` of the rows, taken evenly; the same each time."""
        return _thinned(self.table, count)


def held_out_rows(stations: Stations, version: ModelVersion, *, most: int = MOST_ROWS) -> HeldOut:
    """Read the evaluation rows of a version; where nothing was held out, its training rows.

    Parameters
    ----------
    most
        How many rows to keep at most.

    Raises
    ------
    StateError
        What the version read cannot be read again.
    CorruptError
        The recorded snapshot gives another number of rows than it was judged on.
    """
    with reopened(stations, version) as again:
        return again.held_out(most=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The rows of a training as they were, split as they were, while their session is open."""

    version: ModelVersion
    rows: TrainingRows
    split: Split
    snapshot: int | None

    def held_out(self, *, most: int = MOST_ROWS) -> HeldOut:
        """The evaluation rows; where nothing was held out, the training rows."""
        version, rows, trains = self.version, self.rows, self.split.trains
        held = version.rows_eval > 0
        table = _read(rows, None if trains is None or not held else ~trains)
        return HeldOut(
            model=version.name,
            version=version.version,
            table=_thinned(table, most),
            label=rows.label,
            weight=rows.weight,
            split=rows.split,
            kind="evaluation" if held else "training",
            total=table.num_rows,
            snapshot=self.snapshot,
        )


@contextmanager
def reopened(stations: Stations, version: ModelVersion) -> Iterator[Reopened]:
    """Open the rows that a version was trained and judged on.

    Raises
    ------
    StateError
        What the version read cannot be read again.
    CorruptError
        The recorded snapshot gives another number of rows than it was trained and judged on.
    """
    with pinned_training(stations, version) as pinned:
        rows, split = _split(pinned.task)
        _require_same_rows(stations, version, split)
        yield Reopened(version=version, rows=rows, split=split, snapshot=pinned.lineage.snapshot)


def fair_rows(stations: Stations, version: ModelVersion, other: ModelVersion, *, most: int = MOST_ROWS) -> HeldOut:
    """The rows held out of a version that another version was not trained on either: both are judged fairly on them.

    Rows are the same when they agree in every column that both queries have in one type. Where nothing was held out of
    the version there are no fair rows, and its training rows are given.

    Raises
    ------
    StateError
        What one of the versions read cannot be read again.
    """
    held = held_out_rows(stations, version, most=most)
    if held.kind == "training" or _same_split(version, other):
        return held
    with reopened(stations, other) as again:
        rows, trains = again.rows, again.split.trains
        session = rows.task.session
        ours = {field.name: field.type for field in held.table.schema}
        shared = [field.name for field in rows.schema if ours.get(field.name) == field.type]
        key = session.row_hash(shared) if shared else "0"
        seen = _hashes(rows.query(f"{key} AS tm_key"))
        if trains is not None:
            seen = seen[trains]
        found = session.query(f"SELECT {key} AS tm_key FROM tm_held", {"tm_held": held.table})
        fresh = ~np.isin(_hashes(found), seen)
    return replace(held, table=held.table.take(np.flatnonzero(fresh)), left_out=int((~fresh).sum()))


def _same_split(one: ModelVersion, other: ModelVersion) -> bool:
    """Whether both versions drew the same rows from the same data, as far as that is recorded."""
    return _drawn_by(one) == _drawn_by(other)


def _drawn_by(version: ModelVersion) -> tuple[object, ...]:
    from tidemill.sql.canonical import canonical_sql
    from tidemill.sql.parse import parse_text
    from tidemill.sql.statements import CreateModel

    lineage = read_lineage(version.lineage)
    statement = parse_text(lineage.statement, file="<recorded>", dialect=lineage.dialect)[0]
    query = statement.query.source.text if isinstance(statement, CreateModel) and statement.query else ""
    split = {name: value for name, value in version.options.items() if name.startswith("data_split")}
    read = (dict(lineage.tables), dict(lineage.views), dict(lineage.models), dict(lineage.files))
    return (read, canonical_sql(query, lineage.dialect), split, version.rows_train, version.rows_eval)


def sample_rows(stations: Stations, version: ModelVersion, count: int) -> pa.Table:
    """A few of the rows a version was judged on, for rehearsals and examples."""
    return held_out_rows(stations, version).sample(count)


def _split(task: TrainTask) -> tuple[TrainingRows, Split]:
    """The rows of a training in their order, and which of them train."""
    from tidemill.training.labels import learn_label
    from tidemill.training.source import open_rows
    from tidemill.training.split import split_rows

    rows = open_rows(task)
    return split_rows(rows, learn_label(rows).rows)


def _require_same_rows(stations: Stations, version: ModelVersion, split: Split) -> None:
    """Refuse rows that are not those of the training; of a version that read rows which were erased, fewer will do.

    A row stays on its side when others go, but for the few at the border.
    """
    if (split.rows_train, split.rows_eval) == (version.rows_train, version.rows_eval):
        return
    fewer = split.rows_train + split.rows_eval <= version.rows_train + version.rows_eval
    erased = any(flag.version == version.version for flag in flagged(stations.db, version.name))
    if not (fewer and erased):
        raise CorruptError(
            f"model {version.name} version {version.version} was trained on {version.rows_train:,} rows and judged "
            f"on {version.rows_eval:,}; its recorded snapshot gives {split.rows_train:,} and {split.rows_eval:,}",
            hint="a query that reads the time of day or RANDOM() gives other rows each time; train the model again",
        )


def _hashes(batches: Iterable[pa.RecordBatch]) -> np.ndarray:
    parts = [batch.column(0).to_numpy(zero_copy_only=False) for batch in batches]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def _read(rows: TrainingRows, keep: np.ndarray | None) -> pa.Table:
    """The rows that a mask keeps, or all of them."""
    import pyarrow as pa

    parts: list[pa.RecordBatch] = []
    seen = 0
    for batch in rows.query("*"):
        mask = None if keep is None else pa.array(keep[seen : seen + batch.num_rows])
        seen += batch.num_rows
        parts.append(batch if mask is None else batch.filter(mask))
    return pa.Table.from_batches(parts, schema=parts[0].schema if parts else rows.schema)


def _thinned(table: pa.Table, most: int) -> pa.Table:
    if table.num_rows <= most:
        return table
    return table.take(np.linspace(0, table.num_rows - 1, num=max(most, 1), dtype=np.int64))
