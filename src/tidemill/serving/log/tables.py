"""What the log looks like in SQL: ``tidemill.predictions`` and ``tidemill.labels``.

Each is a view over a table of the lake and over the records that wait in the spool, so that an answer is seen as soon
as it was given. The commit of a batch says, in its message, how far it took each segment: what lies behind is the tail.
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
from tidemill.serving.log.expand import Expanded, expand
from tidemill.serving.log.records import is_prediction
from tidemill.serving.log.spool import Positions, read_segment, segments
from tidemill.warehouse.control.log_tables import PREDICTIONS
from tidemill.warehouse.protocol import LogView, TableVersion

if TYPE_CHECKING:
    import pyarrow as pa

PREDICTIONS_TABLE = "tidemill_log.predictions"
LABELS_TABLE = "tidemill_log.labels"
TABLES = (PREDICTIONS_TABLE, LABELS_TABLE)

TAIL_BYTES = 64 << 20
"""How much of the spool a query reads at most, from the oldest on; a collector that works leaves far less."""

_PREDICTIONS_SQL = f"SELECT {', '.join(map(quote_name, PREDICTIONS.columns))} FROM {{rows}} AS log"

# A label that says the same again is no revision; one that says something else is the next.
_TARGET = """
    PARTITION BY deployment, prediction_id, CASE WHEN prediction_id IS NULL THEN "key" END,
                 CASE WHEN prediction_id IS NULL THEN "at" END
    ORDER BY arrived_at, request, number"""
_LABELS_SQL = f"""
SELECT prediction_id, "key", deployment, model, "at", label,
       row_number() OVER target AS revision, arrived_at, source
FROM (SELECT *, row_number() OVER target AS place, lag(label) OVER target AS earlier
      FROM {{rows}} AS log WINDOW target AS ({_TARGET}))
WHERE place = 1 OR label IS DISTINCT FROM earlier
WINDOW target AS ({_TARGET})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How far the lake has come with each segment, for each of the two tables."""

    predictions: Positions
    labels: Positions

    def lowest(self, segment: str) -> int:
        """Where both have everything before."""
        return min(self.predictions.get(segment, 0), self.labels.get(segment, 0))


NOTHING = Taken(predictions={}, labels={})


def write_taken(taken: Taken) -> str:
    """The message of a batch's commit."""
    return json.dumps({"predictions": dict(taken.predictions), "labels": dict(taken.labels)}, separators=(",", ":"))


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
        return Taken(predictions=dict(found["predictions"]), labels=dict(found["labels"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"version {version.version} of {version.table} does not say which records it took",
            hint="restore .tidemill/lake/catalog.sqlite from a backup",
            version=version.version,
        ) from error


def log_views(spool: Path) -> Mapping[str, LogView]:
    """Both tables, for ``Warehouse.session(system=...)``."""
    return {
        "predictions": LogView(
            table=PREDICTIONS_TABLE,
            tables=TABLES,
            sql=_PREDICTIONS_SQL,
            tail=_tail(spool, predictions=True, rows=lambda found: found.predictions),
        ),
        "labels": LogView(
            table=LABELS_TABLE,
            tables=TABLES,
            sql=_LABELS_SQL,
            tail=_tail(spool, predictions=False, rows=lambda found: found.labels),
        ),
    }


def _tail(
    spool: Path, *, predictions: bool, rows: Callable[[Expanded], pa.Table]
) -> Callable[[TableVersion | None], pa.Table]:
    return functools.partial(_read_tail, spool, predictions, rows)


def _read_tail(
    spool: Path, predictions: bool, rows: Callable[[Expanded], pa.Table], version: TableVersion | None
) -> pa.Table:
    """The records of one kind that are in the spool and not in a version of the lake. Damaged ones are passed over."""
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
    return rows(expand(payloads))
