"""Giving back the pages that the catalogue does not use.

DuckDB's copy of SQLite cannot be asked to VACUUM, and Python's must not open the catalogue beside it (see `instance`):
so another process does it: ``python -m tidemill.warehouse.duckdb.vacuum FILE``.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tidemill.core.faults import fault

WORTH_BYTES = 1 << 20
WORTH_SHARE = 0.2
"""A VACUUM writes the whole file anew: it is worth it when this much, or this share of the file, is free."""

WAIT_S = 10.0
TIMEOUT_S = 600.0


def vacuum(path: Path) -> int:
    """Vacuum a SQLite file and take its WAL in, in a process of its own; the bytes won, 0 when it is in use."""
    before = _size(path)
    return max(0, before - _size(path)) if rewrite(path) else 0


def rewrite(path: Path) -> bool:
    """Vacuum a SQLite file, whether it is worth it or not; False when it is in use."""
    fault("vacuum.before")
    command = [sys.executable, "-m", __name__, str(path)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_S)  # noqa: S603 - ours
    fault("vacuum.after")
    return done.returncode == 0


def free_bytes(pages: int, page_bytes: int, total_pages: int) -> int:
    """What a VACUUM would win; 0 when it is not worth it."""
    free = pages * page_bytes
    return free if free >= WORTH_BYTES or (total_pages and pages / total_pages >= WORTH_SHARE) else 0


def main(path: Path) -> None:
    """Do it here; leave with 1 when somebody else has the file."""
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as database:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        sys.exit(str(error))


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
