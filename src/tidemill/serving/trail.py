"""Whether the control database is still the one this server knows: its audit trail only ever grows.

A database set back to an older copy would bring versions back that were rolled back since. The newest number and hash
that were seen are kept in a file beside the boards.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tidemill.core.errors import CorruptError
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database


class Trail:
    """The newest row of the audit trail that was seen, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = _read(path)

    def check(self, db: Database) -> None:
        """Compare, and remember what is newer.

        Raises
        ------
        CorruptError
            The trail lacks the row that was seen: the database is an older copy, or another one.
        """
        number, hashed = self._seen
        newest = audit.head(db)
        if newest == self._seen:
            return
        if number and not audit.has(db, number, hashed):
            raise CorruptError(
                f"the control database has no audit row {number} with the hash {hashed[:12]}, which this server has "
                "seen: it is an older copy",
                hint=f"put the newest copy back; if the older one is meant, remove {self.path}",
                number=number,
                hash=hashed,
            )
        self._seen = newest
        with suppress(OSError):  # a full disk must not end the watch: this process remembers, and writes the next one
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_name(f"{self.path.name}.{os.getpid()}-{id(self)}")
            partial.write_text(f"{newest[0]} {newest[1]}\n", encoding="utf-8")
            partial.replace(self.path)


def _read(path: Path) -> tuple[int, str]:
    try:
        number, _, hashed = path.read_text(encoding="utf-8").strip().partition(" ")
        return int(number), hashed
    except (OSError, ValueError):
        return 0, audit.FIRST
