"""Asking to erase somebody: what is known of them, the line in the ledger, and the first round of carrying it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tidemill.core.errors import BusyError, NotFoundError
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.who import current_user
from tidemill.governance.ledger import Entry, Ledger, add_entry, read_ledger, salt_of, take_back
from tidemill.governance.subject import Mark, Value, marks_of
from tidemill.governance.texts import Words
from tidemill.runner.erase.carry_out import carry_out
from tidemill.runner.erase.elsewhere import elsewhere, nearly
from tidemill.runner.erase.look import Found, look
from tidemill.runner.erase.texts import outside, quoting
from tidemill.runner.erasure_book import Site, enter, find, meant_by, site_of, unbegun_entries
from tidemill.serving.log.redact import hashed, log_key
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.erasures import Erasure, list_erasures, save_taken_back

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations

NOT_KEPT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What is kept of somebody.

    Parameters
    ----------
    texts
        Rows of the control database that quote them.
    outside
        Files of the project in which a value stands, seen from its folder: they are not ours to change.
    elsewhere
        Columns that nobody named and that hold a value, with the rows.
    nearly
        Where nothing was found in tables: named columns that hold a value in other letters, with the rows.
    """

    found: Found
    texts: int
    outside: tuple[str, ...]
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    nearly: Mapping[str, int] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything is kept that is ours to erase."""
        return bool(self.found.held or self.found.waiting or self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of a request: the erasure (None where nothing is kept), and what there was before."""

    erasure: Erasure | None
    before: Looked
    busy: BusyError | None = None


def look_at(stations: Stations, values: Sequence[Value]) -> Looked:
    """What is kept of somebody; nothing is changed.

    Raises
    ------
    NotFoundError
        A column is in no table, and no deployment's key.
    """
    site = site_of(stations)
    _require_columns(stations, values)
    # A salt of its own where there is no ledger yet: looking leaves nothing behind.
    ledger = read_ledger(site.ledger)
    salt = ledger.salt if ledger is not None else NOT_KEPT
    marks = _marks(stations, values, salt)
    entry = Entry(erasure_id=NOT_KEPT, at=stations.clock.now(), who="", why="", marks=marks)
    meant = meant_by(site, Ledger(salt=salt, entries=(entry,)), [entry])
    found = look(stations, meant)
    return Looked(
        found=found,
        texts=quoting(stations, meant, values),
        outside=tuple(outside(site, values)),
        elsewhere=elsewhere(stations, values, meant),
        nearly={} if found.rows else nearly(stations, values),
    )


def erase(
    stations: Stations,
    values: Sequence[Value],
    *,
    why: str = "",
    now: bool = False,
    wait_s: float = 0.0,
    listen: Callable[[str], None] = lambda _: None,
) -> Asked:
    """Write into the ledger that somebody is erased, and carry it out as far as it goes at once.

    Raises
    ------
    NotFoundError
        A column is in no table, and no deployment's key.
    """
    site = site_of(stations)
    before = look_at(stations, values)
    ledger = read_ledger(site.ledger)
    known = _known(ledger, _marks(stations, values, ledger.salt)) if ledger is not None else None
    if known is None and not before.any and not before.outside:
        return Asked(erasure=None, before=before)
    if known is None or _news_since(stations, site, ledger, known, before):
        known = _entered(stations, site, values, why=why)
    known = replace(known, marks=_marks(stations, values, salt_of(site.ledger)))  # with the values, which no file has
    others = [one for one in unbegun_entries(site) if one.erasure_id != known.erasure_id]
    if others:  # they were asked for while another erasure went on
        with suppress(BusyError):
            carry_out(stations, others, now=now, wait_s=wait_s, listen=listen)
    try:
        (done,) = carry_out(stations, [known], values=values, now=now, wait_s=wait_s, listen=listen)
    except BusyError as error:
        return Asked(erasure=find(site, known.erasure_id), before=before, busy=error)
    return Asked(erasure=done, before=before)


def forgive(stations: Stations, number: int) -> Erasure:
    """Let somebody come in again who was erased: with them the ledger's line is taken back.

    Raises
    ------
    NotFoundError
        There is no erasure of that number.
    """
    site = site_of(stations)
    every = list_erasures(stations.db)
    found = next((one for one in every if one.number == number and one.status != "taken back"), None)
    if found is None:
        known = ", ".join(str(one.number) for one in every[-10:] if one.status != "taken back")
        raise NotFoundError(f"there is no erasure {number}", hint=f"there are {known}" if known else "there is none")
    take_back(site.ledger, found.erasure_id, at=stations.clock.now(), who=current_user())
    with stations.db.write() as tx:
        save_taken_back(tx, found.erasure_id)
        audit.append(tx, who=current_user(), action="take back", object=f"erasure {found.erasure_id}")
    return find(site, found.erasure_id)


def _entered(stations: Stations, site: Site, values: Sequence[Value], *, why: str) -> Entry:
    """A new line of the ledger, durable before anything is erased."""
    entry = Entry(
        erasure_id=stations.clock.new_id(),
        at=stations.clock.now(),
        who=current_user(),
        why=Words(value.text for value in values if value.telling).out_of(why),
        marks=_marks(stations, values, salt_of(site.ledger)),
    )
    add_entry(site.ledger, entry)
    with stations.db.write() as tx:
        enter(site, tx, entry)
    return entry


def _news_since(stations: Stations, site: Site, ledger: Ledger | None, known: Entry, before: Looked) -> bool:
    """Whether the log has answers or labels that are younger than an earlier request: they are not of that one."""
    assert ledger is not None  # noqa: S101 - the request stands in it
    then = look(stations, meant_by(site, ledger, [known]))
    return (then.rows, then.waiting) != (before.found.rows, before.found.waiting)


def _known(ledger: Ledger, marks: tuple[Mark, ...]) -> Entry | None:
    """The newest entry of the same person, said by the same columns."""
    same = [entry for entry in ledger.entries if set(entry.marks) == set(marks)]
    return same[-1] if same else None


def _marks(stations: Stations, values: Sequence[Value], salt: str) -> tuple[Mark, ...]:
    """The marks of values, also as the log has them where a deployment hashes their columns."""
    hashing = {name_key(name) for one in stations.settings.deployments.values() for name in one.hash_columns}
    theirs = [value for value in values if name_key(value.column) in hashing]
    folder = stations.root / ".tidemill" / "serve"
    if not theirs or not (folder / "log.key").exists():
        return marks_of(values, salt)  # nothing was hashed yet
    key = log_key(folder)
    more = [(value.column, hashed(value.text, key)) for value in theirs]
    return marks_of(values, salt, more=more)


def _require_columns(stations: Stations, values: Sequence[Value]) -> None:
    there = {column.name for table in stations.warehouse.tables() for column in stations.warehouse.columns(table)}
    there |= {one.key for one in stations.settings.deployments.values() if one.key}
    known = {name_key(name) for name in there}
    for value in values:
        if name_key(value.column) not in known:
            raise NotFoundError(
                f"no table has a column {value.column}", hint=did_you_mean(value.column, there), column=value.column
            )
