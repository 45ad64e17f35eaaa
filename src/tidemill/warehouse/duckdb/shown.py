"""Which commits still show: those that some snapshot reads, now that others were expired."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

from tidemill.core.names import name_key
from tidemill.warehouse.duckdb.commits import Commit, read_catalogue
from tidemill.warehouse.duckdb.engine import Engine


def alive(engine: Engine) -> list[int]:
    """Every snapshot that can be read, oldest first."""
    if not engine.places.catalogue.exists():
        return []
    return [int(row[0]) for row in read_catalogue(engine, "SELECT snapshot_id FROM ducklake_snapshot ORDER BY 1")]


def by_table(known: Iterable[Commit]) -> list[list[Commit]]:
    """Commits of each table, oldest first."""
    tables: dict[str, list[Commit]] = {}
    for commit in known:
        tables.setdefault(name_key(commit.table), []).append(commit)
    return list(tables.values())


def shown(commits: Sequence[Commit], kept: Sequence[int]) -> list[Commit]:
    """Those commits of one table that a snapshot shows: it lies at or behind the commit, and before the next one."""
    return [
        commit
        for commit, follower in zip(commits, [*commits[1:], None], strict=True)
        if any_between(kept, commit.version, follower.version if follower is not None else None)
    ]


def any_between(kept: Sequence[int], begin: int, end: int | None) -> bool:
    """Whether one of some sorted numbers is at least ``begin`` and less than ``end`` (None: no end)."""
    place = bisect.bisect_left(kept, begin)
    return place < len(kept) and (end is None or kept[place] < end)
