"""Files that were loaded and are gone: a table that is built whole again would lose their rows, and nobody would know.

So it is built only when no row is lost, or when somebody says that they may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import quote_path
from tidemill.runner.increments.deltas import numbers

if TYPE_CHECKING:
    from tidemill.runner.increments.deltas import Shape
    from tidemill.warehouse.protocol import Session, Staged, TableVersion

FLAG = "--forget-gone-files"
SHOWN = 3


def gone_files(loaded: Mapping[str, str], *, root: Path, now: Iterable[str] = ()) -> tuple[str, ...]:
    """The files that are nowhere any more, under their name or another.

    Parameters
    ----------
    loaded
        The files that were read, with their digests.
    now
        Digests of the files that are read now.
    """
    there = {path: (root / path).exists() for path in loaded}
    kept = {digest for path, digest in loaded.items() if there[path]} | set(now)
    return tuple(sorted(path for path, digest in loaded.items() if not there[path] and digest not in kept))


def named(files: tuple[str, ...]) -> str:
    """The first few of some files, in words."""
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return f"{', '.join(files[:SHOWN])}{more} {'is' if len(files) == 1 else 'are'} gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Losing:
    """A table whose files are partly gone, about to be built whole."""

    files: tuple[str, ...]
    table: str
    session: Session
    base: TableVersion

    def told(self, staged: Staged, shape: Shape, *, allowed: bool) -> tuple[str, ...]:
        """What is to be said of it.

        Parameters
        ----------
        staged
            The rows it would have.
        allowed
            Whether rows may be lost.

        Raises
        ------
        SourceError
            Rows would be lost, and nobody said that they may be.
        """
        lost = self._lost(staged, shape)
        if lost == 0:
            return (f"{named(self.files)}: every row of theirs came with other files too",)
        rows = self._words(lost, staged)
        if allowed:
            return (f"{named(self.files)}: {rows}",)
        raise SourceError(
            f"{self.table}: {named(self.files)}, and a build of what is left loses their rows: {rows}; the old version "
            "stays",
            hint=f"put the files back, or let the rows go: tidemill run --full-refresh {self.table} {FLAG}",
            files=list(self.files),
            rows=lost,
        )

    def _lost(self, staged: Staged, shape: Shape) -> int | None:
        """How many rows have no row of their key that is as new; None where nothing tells."""
        if not shape.keys:
            return None
        same = [f"n.{key} = t.{key}" for key in shape.keys]
        if shape.column:
            same.append(f"(n.{shape.column} >= t.{shape.column} OR t.{shape.column} IS NULL)")
        there = f"(SELECT 1 FROM {staged.relation} AS n WHERE {' AND '.join(same)})"
        try:
            sql = f"SELECT count(*) FROM {quote_path(self.table)} AS t WHERE NOT EXISTS {there}"
            return numbers(self.session, sql)[0]
        except TidemillError:  # another statement may have other keys, and files of the lake may be damaged
            return None

    def _words(self, lost: int | None, staged: Staged) -> str:
        if lost is None:
            return f"it has {self.base.rows:,} rows, and {staged.rows:,} would be left"
        return f"{lost:,} of {self.base.rows:,} rows"
