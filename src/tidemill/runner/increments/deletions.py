"""Keys that rows said are gone: remembered, so that an older row of theirs that comes late does not come back.

They stand in the note of the commit that took the rows away, as a digest of the key and the value of the incremental
column: no key is kept in the clear, and a table that deletes much keeps its notes small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tidemill.runner.increments.deltas import numbers

if TYPE_CHECKING:
    from tidemill.runner.increments.deltas import Shape
    from tidemill.warehouse.protocol import Session

MOST = 100_000
"""How many deletions one commit remembers: 40 bytes each, which every process that opens the lake reads."""


def deletions(session: Session, rows: str, shape: Shape) -> dict[str, str]:
    """The keys of rows that say theirs is gone, as digests, with when; the newest ones where there are too many.

    Parameters
    ----------
    rows
        A relation with one row for each key.
    """
    if not shape.gone or not shape.column:
        return {}
    found = session.fetch(
        f"SELECT {_digest(shape)}, CAST({shape.column} AS VARCHAR) FROM {rows} "
        f"WHERE {shape.gone} AND {shape.column} IS NOT NULL ORDER BY {shape.column} DESC LIMIT {MOST}"
    )
    return dict(found)


def too_many(session: Session, rows: str, shape: Shape) -> int:
    """How many deletions are more than one commit remembers."""
    if not shape.gone or not shape.column:
        return 0
    return max(0, numbers(session, f"SELECT count(*) FROM {rows} WHERE {shape.gone}")[0] - MOST)


def deleted_later(session: Session, deleted: Mapping[str, str], *, kind: str) -> str:
    """The name of a relation ``tm_key, tm_at`` of remembered deletions; '' when there is none.

    Parameters
    ----------
    kind
        The type of the incremental column.
    """
    if not deleted:
        return ""
    import pyarrow as pa

    table = pa.table({"k": pa.array(deleted, pa.string()), "v": pa.array(deleted.values(), pa.string())})
    return session.materialise(f"SELECT k AS tm_key, CAST(v AS {kind}) AS tm_at FROM tm_deleted", {"tm_deleted": table})


def without_gone(rows: str, gone: str, shape: Shape) -> str:
    """SQL of the rows without those whose key was deleted after them, and without the same deletion once more."""
    later = f"(g.tm_at > n.{shape.column} OR n.{shape.column} IS NULL"
    again = f" OR (g.tm_at = n.{shape.column} AND {shape.gone}))" if shape.gone else ")"
    return f"SELECT n.* FROM {rows} AS n ANTI JOIN {gone} AS g ON g.tm_key = {_digest(shape)} AND {later}{again}"


def at_once(rows: str, gone: str, shape: Shape) -> str:
    """SQL of the keys of rows that came with the same value of the column as the deletion of their key."""
    keys = ", ".join(f"n.{key}" for key in shape.keys)
    same = f"g.tm_at = n.{shape.column} AND {shape.gone} IS NOT TRUE"
    return f"SELECT {keys} FROM {rows} AS n SEMI JOIN {gone} AS g ON g.tm_key = {_digest(shape)} AND {same}"


def _digest(shape: Shape) -> str:
    texts = ", ".join(f"CAST({key} AS VARCHAR)" for key in shape.keys)
    return f"substr(md5(CAST(to_json([{texts}]) AS VARCHAR)), 1, 16)"
