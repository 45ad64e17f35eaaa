"""What the log looks like in SQL: ``tidemill.predictions``, ``tidemill.received_labels``, and what follows from them.

Each of the two is a view over a table of the lake and over the records that wait in the spool, so that an answer is
seen as soon as it was given. The commit of a batch says, in its message, how far it took each segment: what lies behind
is the tail. Commits are numbered, and each row has the number of the one that brought it: `serving.labels.affected`
asks for what came since.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import CorruptError
from tidemill.core.names import quote_name
from tidemill.serving.labels.views import LABEL_VIEWS
from tidemill.serving.log.expand import Expanded, expand
from tidemill.serving.log.records import is_prediction
from tidemill.serving.log.spool import Positions, read_segment, segments
from tidemill.warehouse.control.log_tables import PREDICTIONS, RECEIVED_LABELS
from tidemill.warehouse.control.system.table import SystemTable
from tidemill.warehouse.protocol import DerivedView, LogView, TableVersion

if TYPE_CHECKING:
    import pyarrow as pa

PREDICTIONS_TABLE = "tidemill_log.predictions"
LABELS_TABLE = "tidemill_log.labels"
TABLES = (PREDICTIONS_TABLE, LABELS_TABLE)

TAIL_BYTES = 64 << 20
"""How much of the spool a query reads at most, from the oldest on; a collector that works leaves far less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How far the lake has come with each segment, for each of the two tables; ``batch`` numbers its commits."""

    predictions: Positions
    labels: Positions
    batch: int = 0

    def lowest(self, segment: str) -> int:
        """Where both have everything before."""
        return min(self.predictions.get(segment, 0), self.labels.get(segment, 0))


NOTHING = Taken(predictions={}, labels={})


def write_taken(taken: Taken) -> str:
    """The message of a batch's commit."""
    told = {"predictions": dict(taken.predictions), "labels": dict(taken.labels), "batch": taken.batch}
    return json.dumps(told, separators=(",", ":"))


def read_taken(version: TableVersion | None) -> Taken:
    """How far the lake has come, by the newest commit of the log's tables.

    Raises
    ------
    CorruptError
        Somebody else has written to the log's tables.
    """
    if version is None:
        return NOTHING
    try:
        found = json.loads(version.message)
        return Taken(predictions=dict(found["predictions"]), labels=dict(found["labels"]), batch=found.get("batch", 0))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"version {version.version} of {version.table} does not say which records it took",
            hint="restore .tidemill/lake/catalog.sqlite from a backup",
            version=version.version,
        ) from error


def log_views(spool: Path) -> Mapping[str, LogView | DerivedView]:
    """The log and what follows from it, for ``Warehouse.session(system=...)``."""
    return {
        "predictions": LogView(
            table=PREDICTIONS_TABLE,
            tables=TABLES,
            sql=_columns_of(PREDICTIONS),
            tail=_tail(spool, predictions=True, rows=lambda found: found.predictions),
        ),
        "received_labels": LogView(
            table=LABELS_TABLE,
            tables=TABLES,
            sql=_columns_of(RECEIVED_LABELS),
            tail=_tail(spool, predictions=False, rows=lambda found: found.labels),
        ),
        **LABEL_VIEWS,
    }


def _columns_of(table: SystemTable) -> str:
    return f"SELECT {', '.join(map(quote_name, table.columns))} FROM {{rows}} AS log"


def _tail(
    spool: Path, *, predictions: bool, rows: Callable[[Expanded], pa.Table]
) -> Callable[[TableVersion | None], pa.Table]:
    return functools.partial(_read_tail, spool, predictions, rows)


def _read_tail(
    spool: Path, predictions: bool, rows: Callable[[Expanded], pa.Table], version: TableVersion | None
) -> pa.Table:
    """The records of one kind that are in the spool and not in a version of the lake. Damaged ones are passed over."""
    import pyarrow as pa

    taken = read_taken(version)
    positions = taken.predictions if predictions else taken.labels
    payloads: list[bytes] = []
    left = TAIL_BYTES
    for name, size in segments(spool).items():
        start = positions.get(name, 0)
        while start < size and left > 0:
            try:
                chunk = read_segment(spool / name, start, left)
            except FileNotFoundError:
                break  # wholly collected, and old
            if chunk.end == start:
                break
            payloads += [payload for payload in chunk.payloads if is_prediction(payload) == predictions]
            left -= chunk.end - start
            start = chunk.end
    found = rows(expand(payloads))
    return found.append_column("batch", pa.nulls(found.num_rows, pa.int64()))
