"""How far the lake is behind the servers: how much waits in the spool, and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tidemill.serving.log.records import LabelRecord, PredictionRecord
from tidemill.serving.log.spool import read_segment, segments
from tidemill.serving.log.tables import TABLES, read_taken
from tidemill.warehouse.protocol import Warehouse

_LOOK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Bytes that are in the spool and not in the lake, and when the first of these records was made."""

    bytes: int
    since: datetime | None


def lag(spool: Path, warehouse: Callable[[], Warehouse]) -> Lag:
    """Look at the spool; the warehouse is opened only when something is there."""
    sizes = segments(spool)
    if not any(sizes.values()):
        return Lag(bytes=0, since=None)
    taken = read_taken(warehouse().newest(TABLES))
    waiting, first = 0, None
    for name, size in sizes.items():
        start = taken.lowest(name)
        if size <= start:
            continue
        waiting += size - start
        at_ns = _first_at(spool / name, start)
        if at_ns is not None and (first is None or at_ns < first):
            first = at_ns
    return Lag(bytes=waiting, since=None if first is None else datetime.fromtimestamp(first / 1e9, UTC))


def _first_at(path: Path, start: int) -> int | None:
    """When the first record from a place on was made; None when it cannot be read, or was removed meanwhile."""
    try:
        payloads = read_segment(path, start, _LOOK_BYTES).payloads
        return msgspec.msgpack.decode(payloads[0], type=PredictionRecord | LabelRecord).at_ns if payloads else None
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
