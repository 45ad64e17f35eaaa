"""What a monitor writes down: one figure of one window of a deployment, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Window:
    """A stretch of time, from its start (included) to its end (not included), both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure of one window.

    Parameters
    ----------
    family
        What kind of trouble it would show: a row of `families.FAMILIES`.
    subject
        What was measured: a column, a metric.
    slice
        The rows it is of: "" for all, else ``column = value``.
    reference
        What it is compared with: ``training``, ``previous`` (the same period before), ``recent`` (the windows before,
        where there is no same period yet), or ``limit`` (a declared figure).
    test
        How: ``psi``, ``jensen_shannon``, ``chi_square``, …; the metric's own name where nothing is tested.
    value
        The effect's size, in the test's own unit; None when there was not enough data.
    low, high
        Bounds of its interval, where it has one.
    p_value
        How often chance alone gives as much, where that is known.
    limit
        The least effect that matters.
    rows, reference_rows
        How many rows each side has.
    weight
        How much of the model hangs on it, from 0 to 1: a feature's importance.
    source
        The upstream table it came from, where that is known: alerts of one cause are told as one.
    """

    family: str
    subject: str
    test: str
    value: float | None
    slice: str = ""
    reference: str = "training"
    version: int | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    limit: float | None = None
    rows: int = 0
    reference_rows: int = 0
    weight: float = 0.0
    source: str = ""
    note: str = ""
