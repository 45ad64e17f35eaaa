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
HEADER = struct.Struct("<4sII")  # magic, length of the payload, CRC-32 of the payload
LARGEST = 1 << 30
"""No payload is longer; a length above it is damage."""


class PredictionRecord(msgspec.Struct, array_like=True, tag=1, frozen=True, kw_only=True):
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
        What the model read: ``{"rows": [...]}`` or ``{"columns": {...}}``, after hashing and leaving out.
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


class LabelRow(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One label: of a prediction by its id, or of an entity by its key; ``time`` (ISO text) is when it came true."""

    label: Any
    id: str | None = None
    key: str | None = None
    time: str | None = None


class LabelRecord(msgspec.Struct, array_like=True, tag=2, frozen=True, kw_only=True):
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
    return HEADER.pack(MAGIC, len(payload), zlib.crc32(payload)) + payload
