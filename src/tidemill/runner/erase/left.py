"""What is still there of people after a round, in words: an erasure is done when there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.words import count
from tidemill.governance.conditions import Meant
from tidemill.governance.subject import Value
from tidemill.runner.erase.elsewhere import elsewhere
from tidemill.runner.erase.look import Found
from tidemill.runner.erase.search import traces
from tidemill.runner.erase.texts import telling_of
from tidemill.serving.log.spool import segments

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations

_SHOWN = 3
HOLDS = "holds a value as text"
"""What only a search for the values themselves can find, or find gone."""


def still_there(stations: Stations, found: Found, *, spool: int, rewritten: bool) -> list[str]:
    """What is still there of somebody, in words; nothing when all is gone.

    Parameters
    ----------
    spool
        How many segments of the log hold their records.
    rewritten
        Whether the lake's catalogue could be written anew.
    """
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
    if not rewritten:
        waiting.append("the lake's catalogue is in use and could not be written anew")
    if spool:
        has, goes = ("has", "goes") if spool == 1 else ("have", "go")
        waiting.append(
            f"{count(spool, 'segment')} of the prediction log {has} their answers and {goes} when collected "
            "and closed by the server: within the hour, or when it is started anew"
        )
    return waiting


def texts_still_there(stations: Stations, texts: Sequence[str]) -> list[str]:
    """Files in which a text stands that says by itself who is meant, in words."""
    keep = stations.root / ".tidemill"
    looked_at = [keep / "lake" / "data", keep / "lake" / "staging"]
    looked_at += [keep / "spool" / name for name in segments(keep / "spool")]
    return [
        f"{path.relative_to(stations.root).as_posix()} {HOLDS}{_owner(stations, path)}"
        for path in traces(keep, telling_of(texts), skip=looked_at)
    ]


def columns_still_there(stations: Stations, values: Sequence[Value], meant: Meant) -> list[str]:
    """Columns that nobody named and that hold a value, in words."""
    return [
        f"{place} {HOLDS} ({count(rows, 'row')}): name that column too, or change what writes it"
        for place, rows in elsewhere(stations, values, meant).items()
    ]


def _owner(stations: Stations, path: Path) -> str:
    """Whose file of the artifacts it is, and what to do."""
    from tidemill.warehouse.control.models import list_versions

    name = f"{path.parent.name}{path.name}"
    for one in list_versions(stations.db):
        if any(file.sha256 == name for file in one.files):
            return f": model {one.name} version {one.version} keeps it; train anew, then tidemill models --prune"
    if path.name.startswith("control.sqlite"):
        return ": the audit trail quotes it, which is chained by hashes, or a name has it"
    return ""


def _listed(rows: Mapping[str, int]) -> str:
    shown = [f"{table} {number:,}" for table, number in list(rows.items())[:_SHOWN]]
    more = len(rows) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
