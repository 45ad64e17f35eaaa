"""The section ``[maintain]`` of tidemill.toml: what `tidemill maintain` keeps, and what it finds worth doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemill.core.entries import Entry, Place, section_values

MAINTAIN: tuple[Entry, ...] = (
    Entry(
        name="keep_snapshot_days",
        default=30,
        low=0,
        high=36_500,
        doc="Snapshots younger than this stay, in days. What something refers to stays however old it is.",
    ),
    Entry(
        name="keep_snapshots",
        default=10,
        low=1,
        high=1_000_000,
        doc="How many of a table's newest versions stay readable, however old they are.",
    ),
    Entry(
        name="keep_log_hours",
        default=24,
        low=0,
        high=876_000,
        doc="Snapshots that brought only rows of the prediction log, or moved rows to other files, stay this long, "
        "in hours. The log's rows stay for ever.",
    ),
    Entry(
        name="target_file_mb",
        default=128,
        low=1,
        high=102_400,
        doc="Files smaller than half of this are small: neighbours are written anew as one.",
    ),
    Entry(
        name="least_files",
        default=8,
        low=2,
        high=1_000_000,
        doc="How many small files at the end of a table are worth writing anew.",
    ),
    Entry(
        name="keep_run_days",
        default=0,
        low=0,
        high=36_500,
        doc="Records of runs, and of the slots of schedules, older than this are deleted, in days, unless something "
        "refers to them; 0 keeps all.",
    ),
    Entry(
        name="keep_rejects_days",
        default=30,
        low=0,
        high=36_500,
        doc="Rows of files that an earlier load did not take in stay in tidemill.all_rejects this long, in days. Those "
        "of the newest load stay.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainSettings:
    """``[maintain]``, checked."""

    keep_snapshot_days: int
    keep_snapshots: int
    keep_log_hours: int
    target_file_mb: int
    least_files: int
    keep_run_days: int
    keep_rejects_days: int


def maintain_settings(given: Any, place: Place) -> MaintainSettings:
    """Check ``[maintain]``."""
    return MaintainSettings(**section_values("maintain", given, MAINTAIN, place))
