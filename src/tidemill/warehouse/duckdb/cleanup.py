"""Removing the files of snapshots that were expired. DuckLake lists them; a grace period lets old readers end first."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidemill.core.errors import CorruptError
from tidemill.core.faults import fault
from tidemill.warehouse.duckdb.commits import read_catalogue
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.verify import file_name, size_of
from tidemill.warehouse.upkeep import Freed

AT_ONCE = 1000

_SCHEDULED = """
SELECT data_file_id, path, path_is_relative, schedule_start FROM ducklake_files_scheduled_for_deletion
ORDER BY data_file_id
"""

_NAMED = "SELECT path FROM ducklake_data_file UNION ALL SELECT path FROM ducklake_delete_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A file that no snapshot reads any more."""

    number: int
    path: Path
    bytes: int
    since: datetime


def scheduled(engine: Engine) -> list[Scheduled]:
    """The files that wait to be removed."""
    data = engine.places.data
    return [
        Scheduled(
            number=int(number),
            path=(path := data / where if relative else Path(where)),
            bytes=max(size_of(path), 0),
            since=_moment(since),
        )
        for number, where, relative, since in read_catalogue(engine, _SCHEDULED)
    ]


def due(waiting: Sequence[Scheduled], *, older_than_s: float) -> list[Scheduled]:
    """Those of them whose grace period is over."""
    oldest = datetime.now(UTC) - timedelta(seconds=older_than_s)
    return [one for one in waiting if one.since <= oldest]


def as_freed(waiting: Sequence[Scheduled], gone: Sequence[Scheduled]) -> Freed:
    """What goes, and what still waits."""
    return Freed(
        files=len(gone),
        bytes=sum(one.bytes for one in gone),
        waiting_files=len(waiting) - len(gone),
        waiting_bytes=sum(one.bytes for one in waiting) - sum(one.bytes for one in gone),
    )


def remove(engine: Engine, gone: Sequence[Scheduled]) -> None:
    """Remove some files, at most `AT_ONCE` (the caller holds the writer's lock).

    A process that is killed on the way leaves entries without a file: the next time removes these.

    Raises
    ------
    CorruptError
        The catalogue wants to remove a file that a snapshot reads. Nothing was removed.
    """
    named = {file_name(path) for (path,) in read_catalogue(engine, _NAMED)}
    for one in gone:
        if one.path.name in named or not one.path.is_relative_to(engine.places.lake):
            raise CorruptError(
                f"the warehouse's catalogue lists {one.path} as unused, but it is not ours to remove",
                hint="nothing was removed; run `tidemill verify`",
                file=str(one.path),
            )
    for one in gone:
        fault("clean_up.before_unlink")
        one.path.unlink(missing_ok=True)
    fault("clean_up.after_unlink")
    for folder in {one.path.parent for one in gone}:
        with contextlib.suppress(OSError):  # files of the table are left in it
            folder.rmdir()
    name = "tidemill_cleaned"
    engine.attach_sqlite(name)
    cursor = engine.clerk()
    try:
        numbers = ", ".join(str(one.number) for one in gone)
        cursor.execute(f"DELETE FROM {name}.ducklake_files_scheduled_for_deletion WHERE data_file_id IN ({numbers})")
    finally:
        cursor.close()
        engine.detach(name)


def _moment(value: object) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
