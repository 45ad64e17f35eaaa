"""The section ``[erase]`` of tidemill.toml: where the ledger of erasures is kept, and how long one may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemill.core.entries import Entry, Place, section_values

ERASE: tuple[Entry, ...] = (
    Entry(
        name="ledger",
        default="erasures.jsonl",
        doc="The file that remembers who was erased, by keyed digests, seen from the project's folder. Keep it where "
        "restoring `.tidemill` from a backup does not touch it.",
    ),
    Entry(
        name="days",
        default=30,
        low=1,
        high=365,
        doc="In how many days an erasure must be proved: after them `tidemill erase` and `tidemill doctor` say that it "
        "is late.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseSettings:
    """``[erase]``, checked."""

    ledger: str
    days: int


def erase_settings(given: Any, place: Place) -> EraseSettings:
    """Check ``[erase]``."""
    return EraseSettings(**section_values("erase", given, ERASE, place))
