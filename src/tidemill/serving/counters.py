"""Counters of one worker: numbers in memory, written to a file each second so that any worker can tell the sum."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the histogram of durations, in seconds."""


class Totals(msgspec.Struct):
    """Counts by their labels; labels are joined by a character that no name has."""

    requests: dict[str, int] = {}
    seconds: dict[str, list[int]] = {}
    sums: dict[str, float] = {}
    predictions: dict[str, int] = {}
    gauges: dict[str, float] = {}


SEPARATOR = "\x1f"
_decoder = msgspec.json.Decoder(Totals)


class Counters:
    """What one worker counts.

    Parameters
    ----------
    folder
        Where the workers' files are.
    worker
        This worker's number. A worker that takes the place of one that died counts on from its file.
    """

    def __init__(self, folder: Path, worker: int) -> None:
        self._folder = folder
        self._path = folder / f"{worker}.json"
        folder.mkdir(parents=True, exist_ok=True)
        base = _read(self._path) or Totals()
        self._requests = {_pair(key): count for key, count in base.requests.items()}
        self._seconds = dict(base.seconds)
        self._sums = dict(base.sums)
        self._predictions = {_triple(key): count for key, count in base.predictions.items()}
        self._saved: bytes = b""

    def answered(self, deployment: str, status: int, seconds: float) -> None:
        """Count a request and how long it took."""
        key = (deployment, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        bins = self._seconds.get(deployment)
        if bins is None:
            bins = self._seconds[deployment] = [0] * (len(BOUNDS_S) + 1)
            self._sums[deployment] = 0.0
        bins[bisect_left(BOUNDS_S, seconds)] += 1
        self._sums[deployment] += seconds

    def predicted(self, deployment: str, version: int, route: str, rows: int) -> None:
        """Count rows that were answered."""
        key = (deployment, version, route)
        self._predictions[key] = self._predictions.get(key, 0) + rows

    def totals(self, gauges: dict[str, float]) -> Totals:
        """What this worker counted until now."""
        return Totals(
            requests={f"{name}{SEPARATOR}{status}": count for (name, status), count in self._requests.items()},
            seconds={name: list(bins) for name, bins in self._seconds.items()},
            sums=dict(self._sums),
            predictions={SEPARATOR.join(map(str, key)): count for key, count in self._predictions.items()},
            gauges=gauges,
        )

    def save(self, gauges: dict[str, float]) -> None:
        """Write them where the other workers look."""
        data = msgspec.json.encode(self.totals(gauges))
        if data == self._saved:
            return
        partial = self._path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(data)
        partial.replace(self._path)
        self._saved = data

    def everyone(self, gauges: dict[str, float]) -> Totals:
        """The sum over all workers: this one's of now, the others' of up to a second ago."""
        others = (_read(path) for path in self._folder.glob("*.json") if path != self._path)
        return _sum([self.totals(gauges), *(one for one in others if one is not None)])


def totals_in(folder: Path) -> Totals:
    """The sum over all workers that ever counted there, as they wrote it last."""
    return _sum(one for path in folder.glob("*.json") if (one := _read(path)) is not None)


REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""What a client is answered whose rows are none that the model takes."""


def requests_of(totals: Totals, deployment: str) -> tuple[int, int, int]:
    """How many requests a deployment had, how many failed by our fault (5xx), how many were refused for their rows."""
    found = [
        (status, count) for key, count in totals.requests.items() for name, status in [_pair(key)] if name == deployment
    ]
    return (
        sum(count for _, count in found),
        sum(count for status, count in found if status >= HTTPStatus.INTERNAL_SERVER_ERROR),
        sum(count for status, count in found if status in REFUSED),
    )


def _read(path: Path) -> Totals | None:
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def _sum(parts: Iterable[Totals]) -> Totals:
    total = Totals()
    for part in parts:
        for name in ("requests", "sums", "predictions", "gauges"):
            into: dict[str, Any] = getattr(total, name)
            for key, value in getattr(part, name).items():
                into[key] = into.get(key, 0) + value
        for key, bins in part.seconds.items():
            before = total.seconds.get(key, [0] * len(bins))
            total.seconds[key] = [a + b for a, b in zip(before, bins, strict=True)]
    return total


def _pair(key: str) -> tuple[str, int]:
    name, status = key.split(SEPARATOR)
    return name, int(status)


def _triple(key: str) -> tuple[str, int, str]:
    name, version, route = key.split(SEPARATOR)
    return name, int(version), route
