"""What is still there of people after a round, in words: an erasure is done when there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.words import count
from tidemill.governance.conditions import Meant
from tidemill.runner.erase.look import Found, segments_with
from tidemill.runner.erase.search import traces
from tidemill.runner.erase.texts import telling_of
from tidemill.serving.log.spool import segments

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations

_SHOWN = 3


def still_there(stations: Stations, meant: Meant, texts: Sequence[str], found: Found) -> list[str]:
    """What is still there, in words; nothing when all is gone."""
    keep = stations.root / ".tidemill"
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
    spool = segments_with(stations, keep / "spool", meant)
    if spool:
        has, goes = ("has", "goes") if len(spool) == 1 else ("have", "go")
        waiting.append(
            f"{count(len(spool), 'segment')} of the prediction log {has} their answers and {goes} when collected "
            "and closed by the server: within the hour, or when it is started anew"
        )
    telling = telling_of(texts)
    looked_at = [keep / "lake" / "data", keep / "lake" / "staging"]
    looked_at += [keep / "spool" / name for name in segments(keep / "spool")]
    for path in traces(keep, telling, skip=looked_at):
        place = path.relative_to(stations.root).as_posix()
        waiting.append(f"{place} holds a value as text{_owner(stations, path)}")
    return waiting


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
