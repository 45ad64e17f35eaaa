"""People who were erased do not come back with the next load: their rows are left out of what is put into tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tidemill.core.words import count
from tidemill.governance.conditions import Meant
from tidemill.governance.ledger import read_ledger
from tidemill.governance.subject import Value
from tidemill.governance.texts import Known, cells_of
from tidemill.runner.erasure_book import meant_by, site_of

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.sources.bad_rows import BadRow
    from tidemill.warehouse.protocol import ArrowStream, Session


def erased_people(stations: Stations) -> Meant | None:
    """Everybody who was erased; None where nobody was."""
    site = site_of(stations)
    ledger = read_ledger(site.ledger)
    return meant_by(site, ledger, ledger.entries) if ledger is not None and ledger.entries else None


def without_erased(
    stations: Stations, session: Session, sql: str, relations: Mapping[str, ArrowStream] | None
) -> tuple[str, tuple[str, ...]]:
    """A query without rows of people who were erased, and what is to be said of it; mostly the query as it is."""
    meant = erased_people(stations)
    if meant is None:
        return sql, ()
    columns = [column.name for column in session.columns(sql, relations)]
    found = meant.of_columns(columns)
    if not found:
        return sql, ()
    theirs = " OR ".join(f"coalesce({one}, false)" for one in found)
    return f"SELECT * FROM ({sql}\n) AS tm_kept WHERE NOT ({theirs})", (_said(meant, columns, len(meant.people)),)


def rejects_without_erased(stations: Stations, table: str, rows: Sequence[BadRow]) -> tuple[BadRow, ...]:
    """Rows that were not loaded, but for those that quote people who were erased."""
    meant = erased_people(stations) if rows else None
    if meant is None:
        return tuple(rows)
    known = Known(meant.marks, meant.salt)
    there = stations.warehouse.tables()
    columns = [one.name for one in stations.warehouse.columns(table)] if table in there else []
    by_cell = bool(meant.of_columns(columns))

    def theirs(row: BadRow) -> bool:
        found = known.found_in(row.raw)
        return any(Value(column="", text=text).telling for text in found) or (
            by_cell and bool(found & cells_of(row.raw))
        )

    return tuple(row for row in rows if not theirs(row))


def _said(meant: Meant, columns: list[str], people: int) -> str:
    named = {mark.column for mark in meant.marks}
    told = ", ".join(column for column in columns if column.casefold() in named)
    return f"rows of people who were erased are left out, by {told} ({count(people, 'erasure')} in the ledger)"
