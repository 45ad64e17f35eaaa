"""Carrying out what the ledger asks for, and looking whether anything is left.

Everything is done by one process that holds the project's lease, so that no run reads a table twice while its rows go;
a training that goes on keeps what it reads, and the erasure waits for its end. Each step may be done again: a process
that is killed anywhere leaves an erasure open, and the next one begins anew. It is done only when nothing is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import BusyError, ConflictError
from tidemill.core.faults import fault
from tidemill.core.who import current_user
from tidemill.core.words import count
from tidemill.governance.conditions import LABELS, PREDICTIONS, Meant
from tidemill.governance.ledger import Entry, read_ledger
from tidemill.governance.subject import Value
from tidemill.governance.texts import Words
from tidemill.runner.claim import LEASE as PROJECT
from tidemill.runner.erase.names import names_of
from tidemill.runner.erase.search import traces
from tidemill.runner.erase.versions import trained_on
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
from tidemill.serving.log.expand import expand
from tidemill.serving.log.follow import LogPlaces, collect_once
from tidemill.serving.log.spool import read_segment, segments
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, Tx
from tidemill.warehouse.control.erasures import (
    Erasure,
    flag_versions,
    list_erasures,
    save_removed,
    save_waiting,
)
from tidemill.warehouse.control.free_texts import count_texts, delete_rejects_of, delete_samples_of, replace_texts
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import Lease, current, held, require

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session
    from tidemill.warehouse.upkeep import Holding

TRIES = 5
CHUNK_BYTES = 32 << 20
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of people, in files and in versions of models; ``waiting`` are answers not in the lake yet."""

    held: tuple[Holding, ...]
    versions: Mapping[tuple[str, int], set[str]]
    waiting: int = 0

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table, counted once for each file that has them; of files that snapshots read."""
        counted: Counter[str] = Counter()
        for one in self.held:
            if one.read:
                counted[one.table] += one.rows
        return dict(sorted(counted.items()))


def look(stations: Stations, meant: Meant) -> Found:
    """Where rows of people are; nothing is changed."""
    meant = _with_predictions(stations, meant)
    found = tuple(stations.warehouse.upkeep.holding(meant.condition))
    return Found(held=found, versions=trained_on(stations.db, found), waiting=_uncollected(stations, meant))


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
        for _ in range(TRIES):
            self.listen("taking rows out of tables")
            self._take_out(meant)
            fault("erasing.removed")
            self.listen("taking values out of texts")
            self._out_of_texts(meant, texts)
            self.listen("removing files")
            self._remove()
            fault("erasing.cleaned")
            self.listen("looking whether anything is left")
            left = look(stations, meant)
            if not left.rows:
                break  # else the collector brought some meanwhile
        self._write_down(self._waiting(meant, texts, left))

    def _write_down(self, waiting: Sequence[str]) -> None:
        with self.stations.db.write() as tx:
            self._guard(tx)
            for entry in self.entries:
                save_waiting(tx, entry.erasure_id, waiting)
                if not waiting:
                    evidence = {"columns": [mark.column for mark in entry.marks]}
                    what = f"erasure {entry.erasure_id}"
                    audit.append(tx, who=current_user(), action="erase", object=what, why=entry.why, evidence=evidence)
        for entry in () if waiting else self.entries:
            note_done(self.site, entry.erasure_id)

    def _guard(self, tx: Tx | None = None) -> None:
        """Refuse to go on when another process took a lease over."""
        for lease in self.leases:
            require(tx or self.stations.db, lease)

    def _take_out(self, meant: Meant) -> None:
        """Take rows out of every snapshot, once it is written down which versions had read them."""
        stations, erasure = self.stations, self.stations.clock.new_id()
        for attempt in range(1, TRIES + 1):
            meant = _with_predictions(stations, meant)
            found = look(stations, meant)
            with stations.db.write() as tx:
                for entry in self.entries:
                    flag_versions(tx, entry.erasure_id, found.versions)
            try:
                stations.warehouse.upkeep.erase(
                    found.held, meant.condition, erasure=f"{erasure}-{attempt}", guard=self._guard
                )
            except ConflictError:
                if attempt == TRIES:
                    raise
                continue  # the collector brought rows meanwhile
            with stations.db.write() as tx:
                for entry in self.entries:
                    save_removed(tx, entry.erasure_id, found.rows)
            return

    def _texts(self, meant: Meant) -> list[str]:
        """The texts that name people: as they were told, or else as they stand somewhere."""
        if self.values:
            return list(dict.fromkeys(form for value in self.values for form in value.forms))
        return names_of(self.stations, meant)

    def _out_of_texts(self, meant: Meant, texts: Sequence[str]) -> None:
        """Texts of the control database that quote their rows, and what was learnt of versions and is kept in files."""
        telling = Words(_telling(texts))
        anywhere = Words(texts)
        there = {
            table.casefold()
            for table in self.stations.warehouse.tables()
            if meant.of_columns([column.name for column in self.stations.warehouse.columns(table)])
        }

        def theirs(table: str, text: str) -> bool:
            # A short number says nothing by itself, but it does in a row of a table that is known by it.
            return telling.stand_in(text) or (table.casefold() in there and anywhere.stand_in(text))

        delete_rejects_of(self.stations.db, theirs)
        delete_samples_of(self.stations.db, meant.is_of)
        if telling:
            replace_texts(self.stations.db, telling.out_of, telling.stand_in)
        keep = self.site.root / ".tidemill"
        # What was learnt is learnt again. Where nobody says the values, nothing tells which of it has them.
        learnt = keep / "expected"
        gone = [*(traces(learnt, telling.texts) if self.values else learnt.glob("*.npz"))]
        before = "control.sqlite.before-*"  # as it was before an upgrade
        gone += traces(keep, telling.texts, only=before) if any(keep.glob(before)) else []
        for path in gone:
            path.unlink(missing_ok=True)

    def _remove(self) -> None:
        stations = self.stations
        grace_s = 0.0 if self.now else stations.settings.grace_hours * 3600.0
        stations.warehouse.upkeep.clean_up(older_than_s=grace_s)
        stations.warehouse.sweep(older_than_s=grace_s)
        sweep_copies(stations.root, older_than_s=grace_s)
        stations.db.tidy(everything=True)

    def _waiting(self, meant: Meant, texts: Sequence[str], found: Found) -> list[str]:
        """What is still there, in words; nothing when all is gone."""
        stations, keep = self.stations, self.site.root / ".tidemill"
        waiting = []
        if found.waiting:
            wait = "waits" if found.waiting == 1 else "wait"
            waiting.append(f"{count(found.waiting, 'answer')} {wait} for the collector, which comes within the minute")
        if found.rows:
            waiting.append(f"rows came while it was carried out: {_listed(found.rows)}")
        unread = sum(not one.read for one in found.held)
        if unread:
            goes, it = ("goes", "it") if unread == 1 else ("go", "them")
            waiting.append(
                f"{count(unread, 'file')} with the rows {goes} when no query can be reading {it} any more "
                f"({stations.settings.grace_hours} h): tidemill maintain then ends it, and "
                "tidemill erase --now does not wait"
            )
        if not stations.warehouse.upkeep.rewrite_catalogue():
            waiting.append("the lake's catalogue is in use and could not be written anew")
        spool = _segments_with(stations, keep / "spool", meant)
        if spool:
            has, goes = ("has", "goes") if len(spool) == 1 else ("have", "go")
            waiting.append(
                f"{count(len(spool), 'segment')} of the prediction log {has} their answers and {goes} when collected "
                "and closed by the server: within the hour, or when it is started anew"
            )
        telling = _telling(texts)
        looked_at = [keep / "lake" / "data", keep / "lake" / "staging"]
        looked_at += [keep / "spool" / name for name in segments(keep / "spool")]
        for path in traces(keep, telling, skip=looked_at):
            place = path.relative_to(self.site.root).as_posix()
            waiting.append(f"{place} holds a value as text{_owner(stations, path)}")
        return waiting


def outside(site: Site, values: Sequence[Value]) -> list[str]:
    """Files of the project itself, which are not ours to change, that hold one of the values."""
    telling = _telling([form for value in values for form in value.forms])
    found = traces(site.root, telling, skip=[site.root / ".tidemill"])
    return [path.relative_to(site.root).as_posix() for path in found]


def _telling(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if Value(column="", text=text).telling]


def quoting(stations: Stations, values: Sequence[Value]) -> int:
    """Texts of the control database that quote one of the values."""
    telling = Words(_telling([form for value in values for form in value.forms]))
    return count_texts(stations.db, telling.stand_in) if telling else 0


def _uncollected(stations: Stations, meant: Meant) -> int:
    """Answers of theirs that wait for the collector."""
    condition = meant.condition(PREDICTIONS, ())
    if not condition or not segments(stations.root / ".tidemill" / "spool"):
        return 0
    with stations.session() as session:
        sql = f"SELECT count(*) FROM tidemill.predictions WHERE batch IS NULL AND ({condition})"
        return int(session.fetch(sql)[0][0])


def _with_predictions(stations: Stations, meant: Meant) -> Meant:
    """With the ids of their predictions, by which labels are found."""
    if stations.warehouse.newest([PREDICTIONS]) is None:
        return meant
    names = [column.name for column in stations.warehouse.columns(PREDICTIONS)]
    condition = meant.condition(PREDICTIONS, names)
    if not condition:
        return meant
    with stations.session() as session:
        ids = [row[0] for row in session.fetch(f"SELECT DISTINCT id FROM tidemill.predictions WHERE {condition}")]
    return replace(meant, predictions=frozenset(one for one in ids if one))


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


def _segments_with(stations: Stations, spool: Path, meant: Meant) -> list[str]:
    """Segments of the log that hold their records, collected or not: those go later, with the whole segment."""
    found = []
    with stations.warehouse.session(tables=False) as session:
        for name in segments(spool):
            if any(_any_of(session, meant, payloads) for payloads in _payloads(spool / name)):
                found.append(name)
    return found


def _any_of(session: Session, meant: Meant, payloads: Sequence[bytes]) -> bool:
    records = expand(payloads)
    for table, rows in ((PREDICTIONS, records.predictions), (LABELS, records.labels)):
        condition = meant.condition(table, rows.column_names) if rows.num_rows else ""
        if condition:
            sql = f"SELECT count(*) FROM tm_records WHERE {condition}"
            (batch,) = session.query(sql, {"tm_records": rows})
            if batch.column(0)[0].as_py():
                return True
    return False


def _payloads(path: Path) -> Iterator[list[bytes]]:
    start = 0
    while True:
        try:
            chunk = read_segment(path, start, CHUNK_BYTES)
        except FileNotFoundError:
            return  # it is wholly collected, and went
        if chunk.end == start:
            return
        yield chunk.payloads
        start = chunk.end


def _owner(stations: Stations, path: Path) -> str:
    """Whose file of the artifacts it is, and what to do."""
    from tidemill.warehouse.control.models import list_versions

    name = f"{path.parent.name}{path.name}"
    for one in list_versions(stations.db):
        if any(file.sha256 == name for file in one.files):
            return f": model {one.name} version {one.version} keeps it; train anew, then tidemill models --prune"
    return ""


def _listed(rows: Mapping[str, int]) -> str:
    shown = [f"{table} {number:,}" for table, number in list(rows.items())[:_SHOWN]]
    more = len(rows) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
