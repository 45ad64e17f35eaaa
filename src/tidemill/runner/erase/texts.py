"""Values of people in texts: those of the control database, of what was learnt, and of the user's own files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tidemill.governance.conditions import Meant
from tidemill.governance.subject import Value
from tidemill.governance.texts import Words, cells_of
from tidemill.runner.erase.search import traces
from tidemill.warehouse.control.free_texts import (
    count_rejects_of,
    count_texts,
    delete_rejects_of,
    delete_samples_of,
    replace_texts,
)

if TYPE_CHECKING:
    from tidemill.runner.erasure_book import Site
    from tidemill.runner.stations import Stations


def telling_of(texts: Sequence[str]) -> list[str]:
    """Those of some texts that say by themselves who is meant."""
    return [text for text in texts if Value(column="", text=text).telling]


def quoting(stations: Stations, meant: Meant, values: Sequence[Value]) -> int:
    """Texts of the control database that quote one of the values, rows that were not loaded among them."""
    texts = [value.text for value in values]
    telling = Words(telling_of(texts))
    others = count_texts(stations.db, telling.stand_in) if telling else 0
    theirs = _rejected(stations, meant, texts)

    def more(table: str, text: str) -> bool:
        return theirs(table, text) and not telling.stand_in(text)

    return others + count_rejects_of(stations.db, more)


def _rejected(stations: Stations, meant: Meant, texts: Sequence[str]) -> Callable[[str, str], bool]:
    """Whether a row that was not loaded, of a table, is one of theirs."""
    telling, told = Words(telling_of(texts)), set(texts)
    there = {
        table.casefold()
        for table in stations.warehouse.tables()
        if meant.of_columns([column.name for column in stations.warehouse.columns(table)])
    }

    def theirs(table: str, text: str) -> bool:
        # A short number says nothing by itself, but it does as a cell of a row for a table that is known by it.
        return telling.stand_in(text) or (table.casefold() in there and bool(cells_of(text) & told))

    return theirs


def out_of_texts(stations: Stations, meant: Meant, texts: Sequence[str], *, told: bool) -> None:
    """Texts of the control database that quote their rows, and what was learnt of versions and is kept in files.

    Parameters
    ----------
    texts
        The texts that name people.
    told
        Whether these are all of them, because somebody said them.
    """
    telling = Words(telling_of(texts))
    delete_rejects_of(stations.db, _rejected(stations, meant, texts))
    delete_samples_of(stations.db, meant.is_of)
    if telling:
        replace_texts(stations.db, telling.out_of, telling.stand_in)
    keep = stations.root / ".tidemill"
    # What was learnt is learnt again. Where nobody says the values, nothing tells which of it has them.
    learnt = keep / "expected"
    gone = [*(traces(learnt, telling.texts) if told else learnt.glob("*.npz"))]
    before = "control.sqlite.before-*"  # as it was before an upgrade
    gone += traces(keep, telling.texts, only=before) if any(keep.glob(before)) else []
    for path in gone:
        path.unlink(missing_ok=True)


def outside(site: Site, values: Sequence[Value]) -> list[str]:
    """Files of the project itself, which are not ours to change, that hold one of the values."""
    telling = telling_of([value.text for value in values])
    found = traces(site.root, telling, skip=[site.root / ".tidemill"])
    return [path.relative_to(site.root).as_posix() for path in found]
