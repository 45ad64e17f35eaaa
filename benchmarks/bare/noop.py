"""The least that finds out there is nothing to do: ``python noop.py FOLDER`` hashes files and asks SQLite."""

import hashlib
import os
import sqlite3
import sys
from pathlib import Path


def main(folder: Path) -> None:
    database = sqlite3.connect(folder / "state.sqlite")
    database.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, digest BLOB)")
    known = dict(database.execute("SELECT name, digest FROM state"))
    now = {}
    with os.scandir(folder / "sql") as entries:
        for entry in entries:
            now[entry.name] = hashlib.sha256(Path(entry.path).read_bytes()).digest()
    changed = [(name, digest) for name, digest in now.items() if known.get(name) != digest]
    database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", changed)
    database.commit()
    print(f"{len(changed)} of {len(now)} changed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
