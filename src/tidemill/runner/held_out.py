"""The rows a version was judged on, as they were: raw columns and the label, from the recorded snapshot.

Training splits rows by their values, so the same snapshot, SQL and options give the same rows again. They are what
gates, comparisons, model cards and rehearsals score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tidemill.core.errors import CorruptError
from tidemill.core.rows import Rows, rows_of_table
from tidemill.runner.pinned import pinned_training

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.runner.stations import Stations
    from tidemill.training.source import TrainingRows
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
    from tidemill.training.labels import learn_label
    from tidemill.training.source import open_rows
    from tidemill.training.split import split_rows

    with pinned_training(stations, version) as pinned:
        rows = open_rows(pinned.task)
        rows, split = split_rows(rows, learn_label(rows).rows)
        if (split.rows_train, split.rows_eval) != (version.rows_train, version.rows_eval):
            raise CorruptError(
                f"model {version.name} version {version.version} was trained on {version.rows_train:,} rows and judged "
                f"on {version.rows_eval:,}; its recorded snapshot gives {split.rows_train:,} and {split.rows_eval:,}",
                hint="a query that reads the time of day or RANDOM() gives other rows each time; train the model again",
            )
        held = split.rows_eval > 0
        keep = None if split.trains is None or not held else ~split.trains
        table = _read(rows, keep)
    return HeldOut(
        model=version.name,
        version=version.version,
        table=_thinned(table, most),
        label=rows.label,
        weight=rows.weight,
        split=rows.split,
        kind="evaluation" if held else "training",
        total=table.num_rows,
        snapshot=pinned.lineage.snapshot,
    )


def sample_rows(stations: Stations, version: ModelVersion, count: int) -> pa.Table:
    """A few of the rows a version was judged on, for rehearsals and examples."""
    return held_out_rows(stations, version).sample(count)


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
    import numpy as np

    if table.num_rows <= most:
        return table
    return table.take(np.linspace(0, table.num_rows - 1, num=max(most, 1), dtype=np.int64))
