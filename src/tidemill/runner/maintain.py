"""`tidemill maintain`: small files merged, old snapshots forgotten, what nothing names removed, databases tidied.

Every change is a short transaction, so readers and writers go on. What fails is told and the rest is done all the same:
a full disk stops the merging of files, and not the removal of old ones, which comes first.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import NotFoundError, TidemillError
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.who import current_user
from tidemill.core.words import count
from tidemill.registry import versions
from tidemill.registry.snapshots import snapshots_in_use
from tidemill.runner.maintain_policy import LEASE, SnapshotVerdict, snapshot_verdicts
from tidemill.runner.scratch import left_copies, sweep_copies
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import parse_time, writing
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.input_files import forget_input_files, load_input_files
from tidemill.warehouse.control.leases import held, require
from tidemill.warehouse.control.old_runs import delete_runs, old_runs, running_since
from tidemill.warehouse.control.rejects import delete_rejects, old_rejects
from tidemill.warehouse.control.schedules import delete_slots, old_slots

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.upkeep import Compaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that was done, or would be.

    Parameters
    ----------
    action
        erase, expire, clean up, sweep, compact, vacuum, or forget runs, slots, rejects or digests.
    object
        What it was done to.
    detail
        What, in words.
    bytes
        What it frees; of a compaction what it reads, because its old files go when their snapshots do.
    error
        Why it was not done.
    waits
        Whether nothing goes yet: a grace period is not over.
    """

    action: str
    object: str
    detail: str
    bytes: int = 0
    seconds: float = 0.0
    error: TidemillError | None = None
    waits: bool = False

    def as_json(self) -> dict[str, Any]:
        """The act as plain data."""
        return {
            "action": self.action,
            "object": self.object,
            "detail": self.detail,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "error": self.error.as_json() if self.error is not None else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """What became of the lake: acts in order, and how many snapshots stay for which reason."""

    acts: tuple[Act, ...]
    kept: tuple[SnapshotVerdict, ...]
    dry_run: bool

    @property
    def error(self) -> TidemillError | None:
        """The first thing that failed."""
        return next((act.error for act in self.acts if act.error is not None), None)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why snapshots stay, with how many do for each reason; the most frequent first."""
        return Counter(one.stays for one in self.kept).most_common()

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain data."""
        return {
            "dry_run": self.dry_run,
            "acts": [act.as_json() for act in self.acts],
            "kept": [{"snapshot": one.snapshot.version, "why": one.stays} for one in self.kept],
        }


def maintain(
    stations: Stations,
    *,
    tables: Sequence[str] = (),
    dry_run: bool = False,
    listen: Callable[[Act], None] = lambda _: None,
) -> Maintained:
    """Look after the lake and the control database; one process at a time does.

    Parameters
    ----------
    tables
        Only merge the files of these, and forget their snapshots; without names everything is looked after.
    dry_run
        Say what would be done, and do nothing.
    listen
        Told of each act when it is over.

    Raises
    ------
    BusyError
        Another process is at it.
    NotFoundError
        There is no table of a name.
    """
    only = _known(stations, tables)
    erased = _erase(stations, dry_run=dry_run, listen=listen) if not only else []
    if dry_run:
        return _with(erased, _work(stations, lambda: None, only, dry_run=True, listen=listen))
    with held(stations.db, LEASE, this_process()) as lease:
        done = _with(erased, _work(stations, lambda: require(stations.db, lease), only, dry_run=False, listen=listen))
        if done.acts:
            with writing(stations.db) as tx:
                evidence = {"acts": [f"{act.action} {act.object}: {act.detail}" for act in done.acts]}
                audit.append(tx, who=current_user(), action="maintain", object="lake", evidence=evidence)
    return done


def _with(acts: list[Act], done: Maintained) -> Maintained:
    return replace(done, acts=(*acts, *done.acts))


def _erase(stations: Stations, *, dry_run: bool, listen: Callable[[Act], None]) -> list[Act]:
    """Go on with the erasures that are not proved yet: what they wait for may be over."""
    from tidemill.runner.erase.carry_out import carry_out
    from tidemill.runner.erasure_book import open_entries, site_of

    entries = open_entries(site_of(stations))
    if not entries:
        return []
    begun = time.perf_counter()
    what = count(len(entries), "erasure")
    try:
        left = {text for one in ([] if dry_run else carry_out(stations, entries)) for text in one.waiting}
        detail = f"{what} to end" if dry_run else f"{what} proved" if not left else f"{what}: {'; '.join(sorted(left))}"
        act = Act(action="erase", object="people", detail=detail, waits=dry_run or bool(left))
    except TidemillError as error:
        act = Act(action="erase", object="people", detail=f"not done: {error.message}", error=error)
    act = replace(act, seconds=time.perf_counter() - begun)
    listen(act)
    return [act]


def _known(stations: Stations, tables: Sequence[str]) -> frozenset[str]:
    """Tables that were named, by their keys; empty for all."""
    there = stations.warehouse.tables()
    for name in tables:
        if name_key(name) not in map(name_key, there):
            raise NotFoundError(f"there is no table {name} in the lake", hint=did_you_mean(name, there), table=name)
    return frozenset(map(name_key, tables))


def _work(
    stations: Stations,
    guard: Callable[[], None],
    only: frozenset[str],
    *,
    dry_run: bool,
    listen: Callable[[Act], None],
) -> Maintained:
    verdicts = _verdicts(stations, only)
    acts: list[Act] = []
    for action, object_, work in _tasks(stations, verdicts, guard, only, dry_run=dry_run):
        begun = time.perf_counter()
        try:
            found = work()
        except TidemillError as error:
            found = Act(action=action, object=object_, detail=f"not done: {error.message}", error=error)
        if found is not None:
            act = Act(**{**_fields(found), "seconds": time.perf_counter() - begun})
            acts.append(act)
            listen(act)
    return Maintained(acts=tuple(acts), kept=tuple(one for one in verdicts if not one.goes), dry_run=dry_run)


def _fields(act: Act) -> dict[str, Any]:
    return {name: getattr(act, name) for name in Act.__slots__}


Task = tuple[str, str, Callable[[], "Act | None"]]


def _tasks(
    stations: Stations,
    verdicts: list[SnapshotVerdict],
    guard: Callable[[], None],
    only: frozenset[str],
    *,
    dry_run: bool,
) -> Iterator[Task]:
    """What there is to do, in order; what frees space comes before what needs some."""
    yield "expire", "snapshots", lambda: _expire(stations, verdicts, dry_run=dry_run)
    if not only:
        yield "clean up", "files", lambda: _clean_up(stations, dry_run=dry_run)
        yield "sweep", "orphans", lambda: _sweep(stations, dry_run=dry_run)
    policy = stations.settings.maintain
    for chosen in stations.warehouse.upkeep.compactions(
        target_bytes=policy.target_file_mb << 20, least_files=policy.least_files
    ):
        if only and name_key(chosen.table) not in only:
            continue
        yield "compact", chosen.table, lambda one=chosen: _compact(stations, one, guard, dry_run=dry_run)  # type: ignore[misc]
    if only:
        return
    yield "vacuum", "catalogue", lambda: _vacuum("catalogue", lambda: stations.warehouse.upkeep.vacuum(dry_run=dry_run))
    yield "forget runs", "control database", lambda: _forget_runs(stations, dry_run=dry_run)
    yield "forget slots", "control database", lambda: _forget_slots(stations, dry_run=dry_run)
    yield "forget rejects", "control database", lambda: _forget_rejects(stations, dry_run=dry_run)
    yield "forget digests", "control database", lambda: _forget_digests(stations, dry_run=dry_run)
    yield "vacuum", "control database", lambda: _vacuum("control database", lambda: stations.db.tidy(dry_run=dry_run))


def _verdicts(stations: Stations, only: frozenset[str]) -> list[SnapshotVerdict]:
    since = running_since(stations.db)
    verdicts = snapshot_verdicts(
        stations.warehouse.upkeep.snapshots(),
        policy=stations.settings.maintain,
        in_use=snapshots_in_use(stations.db),
        now=stations.clock.now(),
        grace=timedelta(hours=stations.settings.grace_hours),
        running_since=parse_time(since) if since is not None else None,
    )
    if not only:
        return verdicts
    return [
        one
        if one.stays or name_key(one.snapshot.table) in only
        else replace(one, stays="it is of a table that was not named")
        for one in verdicts
    ]


def _expire(stations: Stations, verdicts: list[SnapshotVerdict], *, dry_run: bool) -> Act | None:
    gone = [one.snapshot.version for one in verdicts if one.goes]
    if not gone:
        return None
    # What refers to a snapshot may have come meanwhile: a training that began before we looked.
    used = snapshots_in_use(stations.db)
    gone = [version for version in gone if version not in used]
    freed = stations.warehouse.upkeep.expire(gone, dry_run=dry_run)
    detail = f"{len(gone):,} of {len(verdicts):,}, which alone read {freed.files:,} files"
    return Act(action="expire", object="snapshots", detail=detail, bytes=freed.bytes)


def _clean_up(stations: Stations, *, dry_run: bool) -> Act | None:
    grace_s = stations.settings.grace_hours * 3600.0
    freed = stations.warehouse.upkeep.clean_up(older_than_s=grace_s, dry_run=dry_run)
    if not freed.files and not freed.waiting_files:
        return None
    detail = f"{freed.files:,} that no snapshot reads"
    if freed.waiting_files:
        detail += (
            f"; {freed.waiting_files:,} more ({freed.waiting_bytes:,} bytes) wait {stations.settings.grace_hours} h"
        )
    return Act(action="clean up", object="files", detail=detail, bytes=freed.bytes, waits=not freed.files)


def _sweep(stations: Stations, *, dry_run: bool) -> Act | None:
    grace_s = stations.settings.grace_hours * 3600.0
    found = stations.warehouse.upkeep.orphans(older_than_s=grace_s)
    found |= left_copies(stations.root, older_than_s=grace_s)
    if not dry_run:
        stations.warehouse.sweep(older_than_s=grace_s)
        versions.sweep(stations.db, stations.store, older_than_s=grace_s)
        sweep_copies(stations.root, older_than_s=grace_s)
    if not found:
        return None
    return Act(
        action="sweep", object="orphans", detail=f"{len(found):,} that killed runs left", bytes=sum(found.values())
    )


def _compact(stations: Stations, chosen: Compaction, guard: Callable[[], None], *, dry_run: bool) -> Act | None:
    small = f"{len(chosen.files):,} files"
    deleted = f", without {chosen.deleted:,} deleted rows" if chosen.deleted else ""
    if dry_run:
        detail = f"{small} into {len(chosen.parts):,}{deleted}"
        return Act(action="compact", object=chosen.table, detail=detail, bytes=chosen.bytes)
    written = stations.warehouse.upkeep.compact(chosen, run_id=stations.clock.new_id(), guard=guard)
    detail = f"{small} into {len(written):,}{deleted}" if written is not None else "it changed meanwhile: the next time"
    return Act(action="compact", object=chosen.table, detail=detail, bytes=chosen.bytes)


def _forget_runs(stations: Stations, *, dry_run: bool) -> Act | None:
    days = stations.settings.maintain.keep_run_days
    found = old_runs(stations.db, before=stations.clock.now() - timedelta(days=days)) if days else []
    if not found:
        return None
    if not dry_run:
        delete_runs(stations.db, found)
    return Act(action="forget runs", object="control database", detail=f"{len(found):,} older than {days} days")


def _forget_slots(stations: Stations, *, dry_run: bool) -> Act | None:
    days = stations.settings.maintain.keep_run_days
    before = stations.clock.now() - timedelta(days=days)
    found = old_slots(stations.db, before=before) if days else 0
    if not found:
        return None
    if not dry_run:
        found = delete_slots(stations.db, before=before)
    return Act(action="forget slots", object="control database", detail=f"{found:,} older than {days} days")


def _forget_rejects(stations: Stations, *, dry_run: bool) -> Act | None:
    days = stations.settings.maintain.keep_rejects_days
    before = stations.clock.now() - timedelta(days=days)
    found = old_rejects(stations.db, before=before)
    if not found:
        return None
    if not dry_run:
        delete_rejects(stations.db, before=before)
    detail = f"{found:,} rows of earlier loads, older than {days} days"
    return Act(action="forget rejects", object="control database", detail=detail)


def _forget_digests(stations: Stations, *, dry_run: bool) -> Act | None:
    gone = [path for path in load_input_files(stations.db) if not os.path.lexists(path)]
    if not gone:
        return None
    if not dry_run:
        forget_input_files(stations.db, gone)
    return Act(action="forget digests", object="control database", detail=f"{len(gone):,} of files that are gone")


def _vacuum(what: str, work: Callable[[], int]) -> Act | None:
    won = work()
    return Act(action="vacuum", object=what, detail="unused pages", bytes=won) if won else None
