"""Records become rows: one row a prediction or a label, column by column."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tidemill.features.values import integer_of
from tidemill.serving.log.records import LabelRecord, PredictionRecord, decode
from tidemill.serving.log.texts import text_of, text_or_none

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """Both tables' rows, and the numbers of the payloads that could not be read."""

    predictions: pa.Table
    labels: pa.Table
    unreadable: tuple[int, ...]


class _Inputs(msgspec.Struct):
    rows: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    columns: dict[str, list[msgspec.Raw]] | msgspec.UnsetType = msgspec.UNSET


_inputs = msgspec.json.Decoder(_Inputs)
_json = msgspec.json.Encoder()


@contextmanager
def without_gc() -> Iterator[None]:
    """Make many objects without Python looking for circles among them, again and again: half of the time, measured."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def expand(payloads: Sequence[bytes]) -> Expanded:
    """Read payloads; what cannot be read is named and left out, the rest is kept."""
    with without_gc():
        return _expand(payloads)


def _expand(payloads: Sequence[bytes]) -> Expanded:
    predictions: list[PredictionRecord] = []
    inputs: list[str] = []
    labels: list[tuple[Any, ...]] = []
    unreadable: list[int] = []
    for number, payload in enumerate(payloads):
        try:
            record = decode(payload)
            if isinstance(record, PredictionRecord):
                _check_lengths(record)
                inputs += split_inputs(record.inputs, record.n)
                predictions.append(record)
            else:
                labels += _label_rows(record)
        except (ValueError, msgspec.MsgspecError):
            unreadable.append(number)
    return Expanded(predictions=_predictions(predictions, inputs), labels=_labels(labels), unreadable=tuple(unreadable))


def _predictions(records: Sequence[PredictionRecord], inputs: Sequence[str]) -> pa.Table:
    """One row a prediction, with the columns of ``tidemill.predictions``."""
    import pyarrow as pa

    at = pa.array([record.at_ns // 1000 for record in records], pa.int64()).cast(pa.timestamp("us"))
    repeat = _repeater([record.n for record in records])

    def each(values: Iterator[Any], kind: pa.DataType) -> pa.Array:
        return repeat(pa.array(list(values), kind))

    text, number = pa.string(), pa.float64()
    columns = {
        "id": pa.array([one for record in records for one in _ids(record)], text),
        "at": repeat(at),
        "model": each((record.model for record in records), text),
        "version": each((record.version for record in records), pa.int64()),
        "digest": each((record.digest for record in records), text),
        "deployment": each((record.deployment for record in records), text),
        "route": each((record.route for record in records), text),
        "share": each((record.share for record in records), number),
        "key": pa.array([key for record in records for key in record.keys], text),
        "inputs": pa.array(inputs, text),
        "prediction": pa.array([text_or_none(one) for record in records for one in record.predictions], text),
        "score": pa.array([one for record in records for one in _scores(record)], number),
        "probabilities": _probabilities(records),
        "latency_ms": each((record.latency_us / 1000 for record in records), number),
        "trace": each((record.trace for record in records), text),
        "principal": each((record.principal for record in records), text),
    }
    return pa.table(columns)


def _labels(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """One row a label, as it was received."""
    import pyarrow as pa

    text, moment = pa.string(), pa.timestamp("us")
    kinds = {
        "prediction_id": text,
        "key": text,
        "deployment": text,
        "model": text,
        "at": moment,
        "label": text,
        "arrived_at": moment,
        "source": text,
        "principal": text,
        "request": text,
        "number": pa.int64(),
        "known_at": moment,
    }
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds.values())]
    return pa.table(columns, names=list(kinds))


def split_inputs(inputs: bytes, n: int) -> list[str]:
    """The rows of a request's body, each as the text of one JSON object.

    Raises
    ------
    ValueError
        The body is not JSON of ``n`` rows.
    """
    # What callers sent word for word is decoded, never cut out: a name that stands twice would end in broken JSON.
    found = _inputs.decode(inputs)
    if found.rows is not msgspec.UNSET:
        rows = [bytes(row).decode() for row in found.rows]
    elif found.columns is not msgspec.UNSET:
        columns = found.columns
        names = [_json.encode(name) for name in columns]
        rows = [
            b"".join(
                [b"{", b",".join(b"%s:%s" % pair for pair in zip(names, map(bytes, row), strict=True)), b"}"]
            ).decode()
            for row in zip(*columns.values(), strict=True)
        ] or ["{}"] * n
    else:
        raise ValueError("the inputs have neither rows nor columns")
    if len(rows) != n:
        raise ValueError(f"{len(rows)} rows of inputs for {n} answers")
    return rows


def _check_lengths(record: PredictionRecord) -> None:
    n, rows = record.n, record.probabilities
    if len(record.keys) != n or len(record.predictions) != n or (rows is not None and len(rows) != n):
        raise ValueError(f"the record of request {record.id} does not have {n} rows throughout")


def _repeater(counts: list[int]) -> Callable[[pa.Array], pa.Array]:
    """Repeats the value of each record for each of its rows; does nothing when each record has one."""
    import numpy as np

    if all(count == 1 for count in counts):
        return lambda values: values
    places = np.repeat(np.arange(len(counts)), counts)
    return lambda values: values.take(places)


def _ids(record: PredictionRecord) -> list[str]:
    return [record.id] if record.n == 1 else [f"{record.id}-{place}" for place in range(record.n)]


def _scores(record: PredictionRecord) -> list[float | None]:
    """Of two classes the probability of the second, of more that of the likeliest; the prediction of a regression."""
    if record.probabilities is not None:
        return [row[-1] if len(row) == 2 else max(row, default=None) for row in record.probabilities]
    return [
        float(one) if isinstance(one, int | float) and not isinstance(one, bool) else None for one in record.predictions
    ]


def _probabilities(records: Sequence[PredictionRecord]) -> pa.Array:
    import pyarrow as pa

    names: dict[tuple[Any, ...], list[str]] = {}
    found: list[dict[str, float] | None] = []
    for record in records:
        if record.probabilities is None:
            found += [None] * record.n
            continue
        known = names.get(record.classes)
        if known is None:
            known = names[record.classes] = [text_of(one) for one in record.classes]
        found += [dict(zip(known, row, strict=False)) for row in record.probabilities]
    lines = _json.encode_lines(found).split(b"\n")[: len(found)]
    return pa.array([None if one is None else line for one, line in zip(found, lines, strict=True)], pa.string())


def _label_rows(record: LabelRecord) -> list[tuple[Any, ...]]:
    arrived, same = record.at_ns // 1000, (record.source, record.principal, record.id)
    return [
        (
            row.id,
            row.key,
            record.deployment,
            record.model,
            _moment(row.time),
            text_or_none(row.label),
            arrived,
            *same,
            number,
            _moment(row.known),
        )
        for number, row in enumerate(record.rows)
    ]


def _moment(time: str | None) -> int | None:
    """Microseconds since 1970; a time without a zone is in UTC."""
    return None if time is None else integer_of("timestamp", time)
