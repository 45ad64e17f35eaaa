"""What a record of the log holds, and how records stand in a segment: magic, length, checksum, payload.

The payload is MessagePack: one array a record, whose first item says which kind it is.

References
----------
.. [1] https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import msgspec

MAGIC = b"TmL1"
PREDICTION, LABELS = 1, 2
_ARRAY_16 = 0xDC  # an array of more than 15 items: two bytes of length follow
_SHORTEST = 3
_HEAD = struct.Struct("<4sII")  # magic, length of the payload, CRC-32 of the payload
_CHECK = struct.Struct("<I")  # CRC-32 of those three: a header that fits tells how far its record goes
HEADER_BYTES = _HEAD.size + _CHECK.size


class PredictionRecord(msgspec.Struct, array_like=True, tag=PREDICTION, frozen=True, kw_only=True, gc=False):
    """The answer to one request by one version.

    Parameters
    ----------
    id
        Of the request. Its only row has this id, of several rows the i-th (from 0) has ``<id>-<i>``.
    route
        ``champion``, ``challenger``, ``shadow`` or ``fallback``.
    share
        The challenger's share of the traffic when it was answered.
    keys
        The entity key of each row, as text.
    inputs
        What the model read, and what slices name: ``{"rows": [...]}`` or ``{"columns": {...}}``, after hashing and
        leaving out.
    probabilities
        Of each row, in the order of ``classes``; None for a regression.
    principal
        The name of the token that asked; empty without one.
    """

    id: str
    at_ns: int
    deployment: str
    model: str
    version: int
    digest: str
    route: str
    share: float
    n: int
    keys: list[str | None]
    inputs: bytes
    predictions: list[Any]
    probabilities: list[list[float]] | None = None
    classes: tuple[Any, ...] = ()
    latency_us: int = 0
    trace: str = ""
    principal: str = ""


class LabelRow(msgspec.Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    """One label: of a prediction by its id, or of an entity by its key. Times are ISO text.

    Parameters
    ----------
    time
        When it came true.
    known
        When its source came to know it: of two that say different things the later one counts.
    """

    label: Any
    id: str | None = None
    key: str | None = None
    time: str | None = None
    known: str | None = None


class LabelRecord(msgspec.Struct, array_like=True, tag=LABELS, frozen=True, kw_only=True, gc=False):
    """Labels as they were received with one request."""

    id: str
    at_ns: int
    deployment: str
    model: str
    rows: list[LabelRow]
    source: str = "http"
    principal: str = ""


Record = PredictionRecord | LabelRecord

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """A record's payload."""
    return _encoder.encode(record)


def decode(payload: bytes | memoryview) -> Record:
    """Read a payload that `encode` wrote; raises `msgspec.DecodeError` or `ValidationError` for anything else."""
    return _decoder.decode(payload)


def framed(payload: bytes) -> bytes:
    """A payload as it stands in a segment."""
    head = _HEAD.pack(MAGIC, len(payload), zlib.crc32(payload))
    return head + _CHECK.pack(zlib.crc32(head)) + payload


def read_header(data: bytes, place: int) -> tuple[int, int] | None:
    """Length and checksum of the payload behind the header at a place; None when no whole header stands there."""
    if len(data) - place < HEADER_BYTES:
        return None
    magic, length, checksum = _HEAD.unpack_from(data, place)
    (check,) = _CHECK.unpack_from(data, place + _HEAD.size)
    if magic != MAGIC or zlib.crc32(data[place : place + _HEAD.size]) != check:
        return None
    return length, checksum


def is_prediction(payload: bytes) -> bool:
    """Which of the two kinds a payload is, without reading it: the first item of its array."""
    return payload[3 if payload[0] == _ARRAY_16 else 1] == PREDICTION if len(payload) > _SHORTEST else False
