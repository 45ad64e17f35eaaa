"""What is recorded of an asset, for the planner to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is recorded of an asset that was built: its fingerprint and what it was made from.

    Parameters
    ----------
    watermark
        How far an incremental table is, in words; None when its rows carry no such note.
    unrecorded
        Whether the table has a newer version than the one recorded: a run was killed right after its commit.
    gone_files
        Files whose rows an incremental table has, and that are not there any more.
    """

    name: str
    kind: str
    fingerprint: str
    parts: Mapping[str, str]
    reads: Mapping[str, str]
    origin: str = "file"
    present: bool = True
    watermark: str | None = None
    unrecorded: bool = False
    gone_files: tuple[str, ...] = ()
