"""Reading segments: whole records, what is torn, what is damaged, and which files nobody writes to any more."""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.serving.log.records import HEADER_BYTES, MAGIC, read_header
from tidemill.serving.log.writer import SUFFIX

Positions = Mapping[str, int]
"""How many bytes of each segment were taken, by its file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Bytes of a segment that are no record. ``torn``: the record was never finished, nobody was told it was kept."""

    segment: str
    start: int
    data: bytes
    torn: bool = False


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Whole records of one segment in their order, where each begins, and where the next one will."""

    segment: str
    payloads: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    end: int = 0


def segments(folder: Path) -> dict[str, int]:
    """The segments of a spool with their sizes, by name."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    found[entry.name] = entry.stat().st_size
    except FileNotFoundError:
        return {}
    return dict(sorted(found.items()))


def read_segment(path: Path, start: int, limit: int) -> Chunk:
    """Read whole records from ``start`` on, about ``limit`` bytes of them and at least one.

    An unfinished record at the end of a segment that is being written is left for the next time.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        closed = _nobody_writes(handle)  # asked before the size is: of a closed segment the size is final
        size = os.fstat(handle).st_size
        while True:
            data = os.pread(handle, min(limit, max(0, size - start)), start)
            chunk = _scan(data, path.name, start)
            whole = start + len(data) >= size
            if whole or chunk.end > start:
                break
            limit *= 2
    finally:
        os.close(handle)
    if whole and closed and chunk.end < size:
        chunk.damage.append(Damage(segment=path.name, start=chunk.end, data=data[chunk.end - start :], torn=True))
        chunk.end = size
    return chunk


def is_closed(path: Path) -> bool:
    """Whether nobody writes to a segment any more: its writer has let it go or has ended."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _nobody_writes(handle)
    finally:
        os.close(handle)


def _nobody_writes(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return True


def _scan(data: bytes, segment: str, offset: int) -> Chunk:
    chunk = Chunk(segment=segment)
    place, size = 0, len(data)
    while place < size:
        header = read_header(data, place)
        if header is None:
            following = _next_record(data, place + 1)
            if following is None:
                break
            chunk.damage.append(Damage(segment=segment, start=offset + place, data=data[place:following]))
            place = following
            continue
        length, checksum = header
        end = place + HEADER_BYTES + length
        if end > size:
            break
        payload = data[place + HEADER_BYTES : end]
        if zlib.crc32(payload) == checksum:
            chunk.payloads.append(payload)
            chunk.starts.append(offset + place)
        else:
            chunk.damage.append(Damage(segment=segment, start=offset + place, data=data[place:end]))
        place = end
    chunk.end = offset + place
    return chunk


def _next_record(data: bytes, place: int) -> int | None:
    """Where the next header stands that is whole."""
    while (place := data.find(MAGIC, place)) >= 0:
        if read_header(data, place) is not None:
            return place
        place += 1
    return None
