"""Where rows of people are: in the files of tables and of the log, and in the log's segments; nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.governance.conditions import Meant
from tidemill.runner.erase.versions import trained_on
from tidemill.serving.log.expand import expand
from tidemill.serving.log.spool import read_segment, segments
from tidemill.serving.log.tables import LABELS_TABLE, PREDICTIONS_TABLE

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session
    from tidemill.warehouse.upkeep import Holding

CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of people, in files and in versions of models; ``waiting`` are answers not in the lake yet.

    ``meant`` is whom it was looked for, with the ids of their predictions.
    """

    meant: Meant
    held: tuple[Holding, ...]
    versions: Mapping[tuple[str, int], set[str]]
    waiting: int = 0

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table, counted once for each file that has them; of files that snapshots read."""
        counted: Counter[str] = Counter()
        for one in self.held:
            if one.read:
                counted[one.table] += one.rows
        return dict(sorted(counted.items()))


def look(stations: Stations, meant: Meant, *, within: Sequence[Holding] | None = None) -> Found:
    """Where rows of people are; nothing is changed.

    Parameters
    ----------
    within
        Only these files are looked into.
    """
    meant = _with_predictions(stations, meant)
    found = tuple(stations.warehouse.upkeep.holding(meant.condition, within=within))
    return Found(
        meant=meant, held=found, versions=trained_on(stations.db, found), waiting=_uncollected(stations, meant)
    )


def _with_predictions(stations: Stations, meant: Meant) -> Meant:
    """With the ids of their predictions, by which labels are found."""
    if stations.warehouse.newest([PREDICTIONS_TABLE]) is None:
        return meant
    names = [column.name for column in stations.warehouse.columns(PREDICTIONS_TABLE)]
    condition = meant.condition(PREDICTIONS_TABLE, names)
    if not condition:
        return meant
    with stations.session() as session:
        ids = [row[0] for row in session.fetch(f"SELECT DISTINCT id FROM tidemill.predictions WHERE {condition}")]
    return replace(meant, predictions=frozenset(one for one in ids if one))


def segments_with(stations: Stations, spool: Path, meant: Meant) -> list[str]:
    """Segments of the log that hold their records, collected or not: those go later, with the whole segment."""
    found = []
    with stations.warehouse.session(tables=False) as session:
        for name in segments(spool):
            if any(_any_of(session, meant, payloads) for payloads in _payloads(spool / name)):
                found.append(name)
    return found


def _any_of(session: Session, meant: Meant, payloads: Sequence[bytes]) -> bool:
    records = expand(payloads)
    for table, rows in ((PREDICTIONS_TABLE, records.predictions), (LABELS_TABLE, records.labels)):
        condition = meant.condition(table, rows.column_names) if rows.num_rows else ""
        if condition:
            sql = f"SELECT count(*) FROM tm_records WHERE {condition}"
            (batch,) = session.query(sql, {"tm_records": rows})
            if batch.column(0)[0].as_py():
                return True
    return False


def _payloads(path: Path) -> Iterator[list[bytes]]:
    start = 0
    while True:
        try:
            chunk = read_segment(path, start, CHUNK_BYTES)
        except FileNotFoundError:
            return  # it is wholly collected, and went
        if chunk.end == start:
            return
        yield chunk.payloads
        start = chunk.end


def _uncollected(stations: Stations, meant: Meant) -> int:
    """Answers of theirs that wait for the collector."""
    condition = meant.condition(PREDICTIONS_TABLE, ())
    if not condition or not segments(stations.root / ".tidemill" / "spool"):
        return 0
    with stations.session() as session:
        sql = f"SELECT count(*) FROM tidemill.predictions WHERE batch IS NULL AND ({condition})"
        return int(session.fetch(sql)[0][0])
