"""Which snapshots stay, and why. Pure: what is there and who refers to it is passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemill.core.maintain import MaintainSettings
from tidemill.core.names import name_key
from tidemill.warehouse.upkeep import Snapshot

LEASE = "maintain"
"""Held by the one process that looks after the lake's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotVerdict:
    """What becomes of a snapshot: it stays for a reason, or goes (no reason)."""

    snapshot: Snapshot
    stays: str

    @property
    def goes(self) -> bool:
        """Whether it is expired."""
        return not self.stays


def snapshot_verdicts(
    snapshots: Sequence[Snapshot],
    *,
    policy: MaintainSettings,
    in_use: Mapping[int, Sequence[str]],
    now: datetime,
    grace: timedelta,
    running_since: datetime | None = None,
) -> list[SnapshotVerdict]:
    """Say of each snapshot whether it stays, oldest first.

    Parameters
    ----------
    in_use
        Snapshots that something refers to, with the reasons: they stay, whatever the policy says.
    grace
        Younger snapshots stay whatever the policy says: somebody may be reading them.
    running_since
        When the oldest run that goes on began: it may read the snapshot of that time and all later ones.
    """
    user = max(timedelta(days=policy.keep_snapshot_days), grace)
    system = max(timedelta(hours=policy.keep_log_hours), grace)
    newest = _newest_of_tables(snapshots, policy.keep_snapshots)
    begun = _first_read(snapshots, running_since)
    found: list[SnapshotVerdict] = []
    for one in snapshots:
        why = ""
        if one is snapshots[-1]:
            why = "it is the newest"
        elif one.version in in_use:
            more = len(in_use[one.version]) - 1
            why = in_use[one.version][0] + (f", and {more} more" if more else "")
        elif begun is not None and one.version >= begun:
            why = "a run that goes on may read it"
        elif one.system and one.created_at > now - system:
            why = f"it is younger than {_span(system)}"
        elif not one.system and one.created_at > now - user:
            why = f"it is younger than {_span(user)}"
        elif one.version in newest:
            why = f"it is among the newest {policy.keep_snapshots} of its table"
        found.append(SnapshotVerdict(snapshot=one, stays=why))
    return found


def _newest_of_tables(snapshots: Sequence[Snapshot], keep: int) -> set[int]:
    counted: dict[str, int] = {}
    found: set[int] = set()
    for one in reversed(snapshots):
        key = name_key(one.table)
        if not one.system and counted.get(key, 0) < keep:
            counted[key] = counted.get(key, 0) + 1
            found.add(one.version)
    return found


def _first_read(snapshots: Sequence[Snapshot], since: datetime | None) -> int | None:
    if since is None:
        return None
    earlier = [one.version for one in snapshots if one.created_at <= since]
    return earlier[-1] if earlier else 0


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    number, unit = (hours / 24, "day") if hours >= 48 else (hours, "hour")
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
