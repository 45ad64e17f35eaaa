"""What parts of Tidemill could not do when they tried last, in words: a row until it is done again.

- ``save_troubles(db, part, found)``: what a round met; what is not among it is over.
- ``save_end(db, part, said)``: the part's process ended by an error, or ('') it does its work.
- ``list_troubles(db) -> list[Trouble]``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemill.warehouse.control.database import Database, Tx, parse_time, reading

PROCESS = ""
"""What a trouble is about that is of no deployment: the process itself has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is not done.

    Parameters
    ----------
    about
        What it is not done for, such as a deployment; '' when the part itself has ended.
    """

    part: str
    about: str
    said: str
    since: datetime

    @property
    def where(self) -> str:
        """The part, and what it could not do it for."""
        return f"{self.part}: {self.about}" if self.about else self.part


def save_troubles(db: Database, part: str, found: Mapping[str, str], *, among: Collection[str] | None = None) -> None:
    """Write down what a round of a part could not do, by what it is about; the rest of what it looked at is well.

    Parameters
    ----------
    among
        What the round looked at; None for all there is.
    """
    known = {one.about: one.said for one in list_troubles(db) if one.part == part and one.about != PROCESS}
    over = [about for about in known if about not in found and (among is None or about in among)]
    news = {about: said for about, said in found.items() if known.get(about) != said}
    if not over and not news:
        return  # as before: nothing is written at each round
    with db.write() as tx:
        for about in over:
            _delete(tx, part, about)
        for about, said in news.items():
            _put(tx, part, about, said)


def save_end(db: Database, part: str, said: str) -> None:
    """Write down how a part's process ended; '' when it is at work."""
    with db.write() as tx:
        if said:
            _put(tx, part, PROCESS, said)
        else:
            _delete(tx, part, PROCESS)


def list_troubles(db: Database | Tx) -> list[Trouble]:
    """Everything that is not done at the moment."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM troubles ORDER BY part, about")
    return [
        Trouble(part=row["part"], about=row["about"], said=row["said"], since=parse_time(row["since"])) for row in rows
    ]


def _put(tx: Tx, part: str, about: str, said: str) -> None:
    tx.execute(
        "INSERT INTO troubles (part, about, said, since) VALUES (:part, :about, :said, :now)"
        " ON CONFLICT (part, about) DO UPDATE SET said = excluded.said",
        part=part,
        about=about,
        said=said,
        now=tx.now(),
    )


def _delete(tx: Tx, part: str, about: str) -> None:
    tx.execute("DELETE FROM troubles WHERE part = :part AND about = :about", part=part, about=about)
