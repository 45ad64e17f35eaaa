"""Carrying whole records from the spool into the lake, each exactly once.

A batch is one commit for each of the two tables, and the commit itself says, in its message, how far it took each
segment. So rows and bookkeeping land in one transaction: a collector killed at any point begins where the lake says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tidemill.core.clock import Clock
from tidemill.core.faults import fault
from tidemill.serving.log.expand import Expanded, expand, without_gc
from tidemill.serving.log.records import is_prediction
from tidemill.serving.log.spool import Chunk, Damage, Positions, is_closed, read_segment, segments
from tidemill.serving.log.tables import (
    LABELS_TABLE,
    PREDICTIONS_TABLE,
    TABLES,
    Taken,
    read_taken,
    write_taken,
)
from tidemill.warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 32 << 20
GRACE_S = 60.0
"""A segment that is wholly in the lake stays this long, for queries that began before it was."""

DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a batch carried over. ``torn`` and ``damaged`` count records that were passed over."""

    predictions: int = 0
    labels: int = 0
    bytes: int = 0
    torn: int = 0
    damaged: int = 0
    segments_removed: int = 0

    def __add__(self, other: Collected) -> Collected:
        return Collected(
            predictions=self.predictions + other.predictions,
            labels=self.labels + other.labels,
            bytes=self.bytes + other.bytes,
            torn=self.torn + other.torn,
            damaged=self.damaged + other.damaged,
            segments_removed=self.segments_removed + other.segments_removed,
        )


class _Record(NamedTuple):
    """A payload and where it stands. A tuple, because there are many."""

    payload: bytes
    segment: str
    start: int


@dataclass(slots=True, kw_only=True)
class _Batch:
    """The records of one batch that each table still lacks."""

    predictions: list[_Record] = field(default_factory=list)
    labels: list[_Record] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    bytes: int = 0


class Collector:
    """Collects one spool into one lake. Whoever has one holds the lease ``collector``.

    Parameters
    ----------
    guard
        Called inside each commit: raises when the lease was lost.
    batch_bytes
        How much of the spool one batch takes, about.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        spool: Path,
        *,
        clock: Clock,
        guard: Callable[[], None],
        batch_bytes: int = BATCH_BYTES,
        grace_s: float = GRACE_S,
    ) -> None:
        self._warehouse = warehouse
        self._spool = spool
        self._clock = clock
        self._guard = guard
        self._batch_bytes = batch_bytes
        self._grace_s = grace_s
        self._passed: dict[str, int] = {}  # what this process has seen to the end, commits or not

    def waiting(self) -> int:
        """Bytes in the spool that are not in the lake."""
        taken = self._taken()
        return sum(max(0, size - taken.lowest(name)) for name, size in segments(self._spool).items())

    def collect(self) -> Collected:
        """Carry all over that is there now, batch by batch; then remove what is done with."""
        total, there = Collected(), self.waiting()
        while total.bytes < there:  # what comes meanwhile is for the next time
            batch = self.collect_batch()
            total += batch
            if not batch.bytes:
                break  # the rest is a record that is being written
        return total + Collected(segments_removed=self.remove_old())

    def collect_batch(self) -> Collected:
        """Carry one batch over.

        Raises
        ------
        ConflictError
            Another collector has taken the lease over: nothing was written.
        TransientError
            The warehouse is busy or the disk is full: nothing is lost, try again.
        """
        taken = self._taken()
        with without_gc():
            batch = self._read(taken)
        if not batch.bytes:
            return Collected()
        fault("collect.after_read")
        predictions = expand([record.payload for record in batch.predictions])
        labels = expand([record.payload for record in batch.labels])
        batch.damage += _unreadable(batch.predictions, predictions) + _unreadable(batch.labels, labels)
        self._put_aside(batch.damage)
        done = Taken(
            predictions=_further(taken.predictions, batch.ends, names=batch.ends),
            labels=_further(taken.labels, batch.ends, names=batch.ends),
            batch=taken.batch,
        )
        # Labels first: whatever commit is the newest, its message is true of both tables.
        if labels.labels.num_rows:
            rest = taken.predictions if batch.predictions else done.predictions
            done = replace(done, batch=done.batch + 1)
            self._land(labels.labels, LABELS_TABLE, replace(done, predictions=rest))
            fault("collect.between")
        if predictions.predictions.num_rows:
            self._land(predictions.predictions, PREDICTIONS_TABLE, replace(done, batch=done.batch + 1))
        fault("collect.landed")
        self._passed.update(batch.ends)
        torn = sum(one.torn for one in batch.damage)
        return Collected(
            predictions=predictions.predictions.num_rows,
            labels=labels.labels.num_rows,
            bytes=batch.bytes,
            torn=torn,
            damaged=len(batch.damage) - torn,
        )

    def remove_old(self) -> int:
        """Remove segments that nobody writes to, that are wholly collected, and that are old; how many."""
        taken, removed = self._taken(), 0
        for name, size in segments(self._spool).items():
            path = self._spool / name
            age = self._clock.now().timestamp() - path.stat().st_mtime
            if taken.lowest(name) >= size and age >= self._grace_s and is_closed(path):
                if path.stat().st_size > taken.lowest(name):
                    continue  # its writer put one more record in before it let go
                fault("collect.before_unlink")
                path.unlink()
                removed += 1
        return removed

    def _taken(self) -> Taken:
        found = read_taken(self._warehouse.newest(TABLES))
        return Taken(
            predictions=_further(found.predictions, self._passed),
            labels=_further(found.labels, self._passed),
            batch=found.batch,
        )

    def _read(self, taken: Taken) -> _Batch:
        """The next records of each segment that has new ones, in equal shares."""
        batch = _Batch()
        sizes = segments(self._spool)
        news = [name for name, size in sizes.items() if size > taken.lowest(name)]
        share = max(1, self._batch_bytes // max(1, len(news)))
        for name in sizes:
            start = taken.lowest(name)
            batch.ends[name] = start
            if name not in news:
                continue
            chunk = read_segment(self._spool / name, start, share)
            batch.ends[name] = chunk.end
            batch.bytes += chunk.end - start
            batch.damage += chunk.damage
            _sort_out(chunk, taken, batch)
        return batch

    def _land(self, rows: pa.Table, table: str, taken: Taken) -> None:
        run_id = self._clock.new_id()
        with self._warehouse.session() as session:
            numbered = f"SELECT *, {taken.batch}::BIGINT AS batch FROM log_rows"
            staged = self._warehouse.stage(
                session, numbered, {"log_rows": rows}, table=table, attempt=run_id, system=True
            )
        fault("collect.staged")
        try:
            self._warehouse.append(staged, run_id=run_id, step="collect", guard=self._guard, message=write_taken(taken))
        except BaseException:
            self._warehouse.discard(staged)
            raise

    def _put_aside(self, damage: list[Damage]) -> None:
        """Keep what is no record in a file of its own, for a person to look at."""
        folder = self._spool / DAMAGED
        for one in damage:
            folder.mkdir(exist_ok=True)
            (folder / f"{one.segment}-{one.start}.bin").write_bytes(one.data)


def _sort_out(chunk: Chunk, taken: Taken, batch: _Batch) -> None:
    """Give each table the records it lacks: after a kill between two commits, one lacks more than the other."""
    predictions, labels = taken.predictions.get(chunk.segment, 0), taken.labels.get(chunk.segment, 0)
    for start, payload in zip(chunk.starts, chunk.payloads, strict=True):
        if is_prediction(payload):
            if start >= predictions:
                batch.predictions.append(_Record(payload, chunk.segment, start))
        elif start >= labels:
            batch.labels.append(_Record(payload, chunk.segment, start))


def _unreadable(records: Sequence[_Record], found: Expanded) -> list[Damage]:
    chosen = [records[number] for number in found.unreadable]
    return [Damage(segment=one.segment, start=one.start, data=one.payload) for one in chosen]


def _further(one: Positions, other: Positions, *, names: Iterable[str] | None = None) -> Positions:
    """The further of two positions in each segment (of those named)."""
    wanted = {*one, *other} if names is None else names
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in wanted}
