"""Carrying out what the ledger asks for, and looking whether anything is left.

Everything is done by one process that holds the project's lease, so that no run reads a table twice while its rows go;
a training that goes on keeps what it reads, and the erasure waits for its end. Each step may be done again: a process
that is killed anywhere leaves an erasure open, and the next one begins anew. It is done only when nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import BusyError, ConflictError
from tidemill.core.faults import fault
from tidemill.core.who import current_user
from tidemill.governance.conditions import Meant
from tidemill.governance.ledger import Entry, Ledger, read_ledger
from tidemill.governance.subject import Value
from tidemill.registry import versions
from tidemill.runner.claim import LEASE as PROJECT
from tidemill.runner.erase.left import HOLDS, columns_still_there, still_there, texts_still_there
from tidemill.runner.erase.look import Found, look, segments_with
from tidemill.runner.erase.names import names_of
from tidemill.runner.erase.texts import out_of_texts
from tidemill.runner.erasure_book import (
    RESTORED,
    Site,
    enter,
    meant_by,
    note_done,
    open_entries,
    restored_entries,
    site_of,
)
from tidemill.runner.maintain_policy import LEASE as MAINTAIN
from tidemill.runner.scratch import sweep_copies
from tidemill.serving.log.follow import LogPlaces, collect_once
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, Tx
from tidemill.warehouse.control.erasures import (
    Erasure,
    flag_versions,
    list_erasures,
    save_removed,
    save_waiting,
)
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import Lease, current, held, require

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations

TRIES = 5


def carry_out(
    stations: Stations,
    entries: Sequence[Entry] | None = None,
    *,
    values: Sequence[Value] = (),
    now: bool = False,
    wait_s: float = 0.0,
    listen: Callable[[str], None] = lambda _: None,
) -> list[Erasure]:
    """Take the rows of people out of everything that is kept, and look whether any is left.

    Parameters
    ----------
    entries
        Whom the ledger asks to erase; all that are open when not given.
    values
        What was said of whom; with them files are searched byte by byte.
    now
        Remove files that queries may still be reading, instead of waiting ``grace_hours``.
    wait_s
        How long to wait for a run that goes on.

    Raises
    ------
    BusyError
        A run goes on, or a batch is scored. It is written down what is waited for.
    """
    site = site_of(stations)
    wanted = list(open_entries(site) if entries is None else entries)
    if not wanted:
        return []
    again = {entry.erasure_id: [RESTORED] for entry in restored_entries(site)}
    with stations.db.write() as tx:
        for entry in wanted:
            enter(site, tx, entry)
            if entry.erasure_id in again:
                save_waiting(tx, entry.erasure_id, [RESTORED])
    try:
        with ExitStack() as stack:
            leases = [
                stack.enter_context(held(stations.db, name, this_process(), wait_s=wait_s))
                for name in (PROJECT, MAINTAIN)
            ]
            _require_no_batch(stations.db)
            work = _Work(stations, site, wanted, values, now, leases, listen)
            work.run()
    except BusyError as error:
        with stations.db.write() as tx:
            for entry in wanted:
                busy = f"{error.message}: it is carried out when that is over"
                save_waiting(tx, entry.erasure_id, [*again.get(entry.erasure_id, ()), busy])
        raise
    ids = {entry.erasure_id for entry in wanted}
    return [one for one in list_erasures(stations.db) if one.erasure_id in ids]


@dataclass(slots=True)
class _Work:
    """One round over all that is open."""

    stations: Stations
    site: Site
    entries: Sequence[Entry]
    values: Sequence[Value]
    now: bool
    leases: Sequence[Lease]
    listen: Callable[[str], None]

    def run(self) -> None:
        stations = self.stations
        ledger = read_ledger(self.site.ledger)
        assert ledger is not None  # noqa: S101 - its entries are at hand
        self.listen("collecting answers")
        with suppress(BusyError):  # a collector is at work: what it brings later is looked for again
            collect_once(_log(stations), wait_s=0, **({"grace_s": 0.0} if self.now else {}))
        meant = meant_by(self.site, ledger, self.entries)
        texts = self._texts(meant)
        # First, so that an erasure whose rows are out has none left that a process without the values could not find.
        self.listen("taking values out of texts")
        out_of_texts(stations, meant, texts, told=bool(self.values))
        for _ in range(TRIES):
            self.listen("taking rows out of tables")
            self._take_out(ledger, meant)
            fault("erasing.removed")
            self.listen("removing files")
            self._remove()
            fault("erasing.cleaned")
            self.listen("looking whether anything is left")
            left = look(stations, meant)
            if not left.rows:
                break  # else the collector brought some meanwhile
        self._write_down(self._waiting(ledger, meant, texts, left))

    def _each(self, ledger: Ledger, meant: Meant, found: Found) -> Iterator[tuple[Entry, Meant, Found]]:
        """What of something found is of each person: the evidence of one must not tell of another."""
        for entry in self.entries:
            own = meant if len(self.entries) == 1 else meant_by(self.site, ledger, [entry])
            alone = own is meant or not (found.held or found.waiting)
            yield entry, own, found if alone else look(self.stations, own, within=found.held)

    def _waiting(self, ledger: Ledger, meant: Meant, texts: Sequence[str], left: Found) -> dict[str, list[str]]:
        """What is still there of each person, in words, by the erasure."""
        stations = self.stations
        rewritten = stations.warehouse.upkeep.rewrite_catalogue()
        spool = stations.root / ".tidemill" / "spool"
        any_spool = segments_with(stations, spool, meant)
        said = texts_still_there(stations, texts)
        if self.values:
            said += columns_still_there(stations, self.values, meant)
        before = {one.erasure_id: one.waiting for one in list_erasures(stations.db)}
        waiting: dict[str, list[str]] = {}
        for entry, own, found in self._each(ledger, meant, left):
            segments = len(any_spool if own is meant else segments_with(stations, spool, own) if any_spool else ())
            there = still_there(stations, found, spool=segments, rewritten=rewritten)
            # Where nobody says the values, nothing tells whether what was found by them is gone.
            kept = [] if self.values else [text for text in before[entry.erasure_id] if HOLDS in text]
            waiting[entry.erasure_id] = list(dict.fromkeys([*there, *said, *kept]))
        return waiting

    def _write_down(self, waiting: Mapping[str, Sequence[str]]) -> None:
        with self.stations.db.write() as tx:
            self._guard(tx)
            for entry in self.entries:
                there = waiting[entry.erasure_id]
                save_waiting(tx, entry.erasure_id, there)
                if not there:
                    evidence = {"columns": [mark.column for mark in entry.marks]}
                    what = f"erasure {entry.erasure_id}"
                    audit.append(tx, who=current_user(), action="erase", object=what, why=entry.why, evidence=evidence)
        for entry in self.entries:
            if not waiting[entry.erasure_id]:
                note_done(self.site, entry.erasure_id)

    def _guard(self, tx: Tx | None = None) -> None:
        """Refuse to go on when another process took a lease over."""
        for lease in self.leases:
            require(tx or self.stations.db, lease)

    def _take_out(self, ledger: Ledger, meant: Meant) -> None:
        """Take rows out of every snapshot, once it is written down which versions had read them."""
        stations, erasure = self.stations, self.stations.clock.new_id()
        for attempt in range(1, TRIES + 1):
            found = look(stations, meant)
            each = list(self._each(ledger, meant, found))
            with stations.db.write() as tx:
                for entry, _, own in each:
                    flag_versions(tx, entry.erasure_id, own.versions)
            try:
                stations.warehouse.upkeep.erase(
                    found.held, found.meant.condition, erasure=f"{erasure}-{attempt}", guard=self._guard
                )
            except ConflictError:
                if attempt == TRIES:
                    raise
                continue  # the collector brought rows meanwhile
            with stations.db.write() as tx:
                for entry, _, own in each:
                    save_removed(tx, entry.erasure_id, own.rows)
            return

    def _texts(self, meant: Meant) -> list[str]:
        """The texts that name people: as they were told, or else as they stand somewhere."""
        if self.values:
            return list(dict.fromkeys(value.text for value in self.values))
        begun = {one.erasure_id for one in list_erasures(self.stations.db) if one.removed_at is not None}
        # What was begun by somebody who said the values has been taken out of texts, unless a backup was put back.
        again = {entry.erasure_id for entry in restored_entries(self.site)}
        anew = any(entry.erasure_id in again or entry.erasure_id not in begun for entry in self.entries)
        return names_of(self.stations, meant) if anew else []

    def _remove(self) -> None:
        stations = self.stations
        grace_s = 0.0 if self.now else stations.settings.grace_hours * 3600.0
        stations.warehouse.upkeep.clean_up(older_than_s=grace_s)
        stations.warehouse.sweep(older_than_s=grace_s)
        sweep_copies(stations.root, older_than_s=grace_s)
        versions.sweep(stations.db, stations.store, older_than_s=grace_s)
        stations.db.tidy(everything=True)


def _require_no_batch(db: Database) -> None:
    """A batch reads its table chunk by chunk: rows must not go between two of them.

    Raises
    ------
    BusyError
        One is scored.
    """
    with db.read() as tx:
        rows = tx.rows("SELECT name FROM leases WHERE name LIKE 'scoring %' AND released = 0")
        scoring = next((one for row in rows if (one := current(tx, row["name"])) is not None), None)
    if scoring is not None:
        raise BusyError(f"a batch is scored by {scoring.holder}", hint="wait for its end")


def _log(stations: Stations) -> LogPlaces:
    spool = stations.root / ".tidemill" / "spool"
    return LogPlaces(db=stations.db, warehouse=stations.warehouse, spool=spool, clock=stations.clock)
