"""Which erasures there are, and which must still be carried out: the ledger beside what this state says was done.

The ledger stands apart from what a backup holds. An entry is done only where both the control database and the lake say
so: whichever of them was set back to before, its rows may be back, and it is carried out again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tidemill.core.errors import StateError
from tidemill.governance.conditions import Meant, Person
from tidemill.governance.ledger import Entry, Ledger, read_ledger
from tidemill.warehouse.control.erasures import Erasure, add_erasure, list_erasures

if TYPE_CHECKING:
    from tidemill.core.settings import Settings
    from tidemill.warehouse.control.database import Database, Tx

LAKE_FILE = "erased"
"""In the folder of the lake: the ids of erasures that were carried out there. It is set back with the lake."""

RESTORED = "a backup brought them back: they are erased again before anything is built or served"
"""Waits with an erasure until its rows are gone again, so that a process that dies meanwhile leaves it to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a project keeps what erasing looks at."""

    root: Path
    settings: Settings
    db: Database

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.root / self.settings.erase.ledger

    @property
    def lake(self) -> Path:
        """The folder of the lake."""
        return self.root / ".tidemill" / "lake"


class Kept(Protocol):
    """What a project, its stations and its plans have in common."""

    @property
    def root(self) -> Path:
        """The project's folder."""

    @property
    def settings(self) -> Settings:
        """Its settings."""

    @property
    def db(self) -> Database:
        """Its control database."""


def site_of(kept: Kept) -> Site:
    """The site of a project, by whatever has it open."""
    return Site(root=kept.root, settings=kept.settings, db=kept.db)


def open_entries(site: Site) -> list[Entry]:
    """The entries of the ledger that are not proved on this state, oldest first."""
    ledger = read_ledger(site.ledger)
    if ledger is None or not ledger.entries:
        return []
    done = {one.erasure_id for one in list_erasures(site.db) if one.status == "done"}
    if site.lake.is_dir():
        done &= _done_in(site.lake)
    return [entry for entry in ledger.entries if entry.erasure_id not in done]


def require_ledger(site: Site) -> None:
    """Refuse to go on without the lines of the ledger that this state has carried out.

    Raises
    ------
    StateError
        The ledger is gone, or cut: the next load would bring people back.
    """
    done = [one for one in list_erasures(site.db) if one.status != "taken back"]
    if not done:
        return
    ledger = read_ledger(site.ledger)
    there = {entry.erasure_id for entry in ledger.entries} if ledger is not None else set()
    gone = [str(one.number) for one in done if one.erasure_id not in there]
    if gone:
        raise StateError(
            f"the ledger of erasures {site.ledger} lacks erasure {', '.join(gone)}: loads would bring people back",
            hint="put it back from a copy, or say that they may come in again: tidemill erase --take-back NUMBER",
            file=str(site.ledger),
        )


def restored_entries(site: Site) -> list[Entry]:
    """Those of them that this state has never heard of, or had done: it was put back from a backup of before."""
    known = {one.erasure_id: one for one in list_erasures(site.db)}

    def again(entry: Entry) -> bool:
        one = known.get(entry.erasure_id)
        return one is None or one.status == "done" or RESTORED in one.waiting

    return [entry for entry in open_entries(site) if again(entry)]


def unbegun_entries(site: Site) -> list[Entry]:
    """Those of which no row was taken out yet: a run went on when they were asked for."""
    begun = {one.erasure_id for one in list_erasures(site.db) if one.removed_at is not None}
    return [entry for entry in open_entries(site) if entry.erasure_id not in begun]


def meant_by(site: Site, ledger: Ledger, entries: Sequence[Entry], *, before: datetime | None = None) -> Meant:
    """Whose rows some entries mean.

    Parameters
    ----------
    before
        Up to when rows of the log are theirs; each entry's own time when not given.
    """
    people = tuple(Person(marks=entry.marks, before=before or entry.at) for entry in entries)
    keys = {one.name: one.key for one in site.settings.deployments.values() if one.key}
    return Meant(people=people, salt=ledger.salt, keys=keys)


def enter(site: Site, tx: Tx, entry: Entry) -> None:
    """Write an entry of the ledger down in the control database, if it is not there."""
    due = entry.at + timedelta(days=site.settings.erase.days)
    columns = [mark.column for mark in entry.marks]
    add_erasure(tx, entry.erasure_id, columns=columns, who=entry.who, why=entry.why, asked_at=entry.at, due_at=due)


def note_done(site: Site, erasure_id: str) -> None:
    """Write into the lake's folder that an erasure was carried out there; durable when it returns."""
    if not site.lake.is_dir() or erasure_id in _done_in(site.lake):
        return
    handle = os.open(site.lake / LAKE_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, f"{erasure_id}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def find(site: Site, erasure_id: str) -> Erasure:
    """An erasure as the control database has it."""
    return next(one for one in list_erasures(site.db) if one.erasure_id == erasure_id)


def _done_in(lake: Path) -> set[str]:
    try:
        return set((lake / LAKE_FILE).read_text(encoding="utf-8").split())
    except FileNotFoundError:
        return set()
