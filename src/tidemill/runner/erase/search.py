"""Searching files for a person's values, byte by byte: the proof that does not trust what wrote them.

A process of its own looks: where a file is closed that a database of this process has open, the operating system drops
the database's locks (https://sqlite.org/howtocorrupt.html, section 2.2.1). It is told by a pipe: arguments can be seen
by others.
"""

from __future__ import annotations

import json
import mmap
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tidemill.core.names import quote_name
from tidemill.governance.texts import Words

_SKIPPED = frozenset({".git", ".venv", "__pycache__", "node_modules"})
_SQLITE = b"SQLite format 3\0"
_CODES = ("utf-8", "utf-32-le")
"""How files hold texts; the second is NumPy's."""


def traces(root: Path, texts: Sequence[str], *, skip: Sequence[Path] = (), only: str = "*") -> list[Path]:
    """The files under a folder in which one of some texts stands as a word.

    In a file that is neither text nor SQLite a word has no border: there it counts in a longer one, too.

    Parameters
    ----------
    skip
        Folders and files that are not looked into.
    only
        A pattern of the names that are.
    """
    if not any(texts) or not root.is_dir():
        return []
    told = json.dumps({"root": str(root), "texts": list(texts), "skip": list(map(str, skip)), "only": only})
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=told, capture_output=True, check=True, text=True)  # noqa: S603 - ours
    return [root / name for name in json.loads(done.stdout)]


def main() -> None:
    """Look here, and write out what was found."""
    told = json.load(sys.stdin)
    root, words, skip = Path(told["root"]), Words(told["texts"]), frozenset(map(Path, told["skip"]))
    files = (path for path in _files(root, skip) if path.match(told["only"]))
    json.dump([path.relative_to(root).as_posix() for path in files if _has(path, words)], sys.stdout)


def _files(root: Path, skip: frozenset[Path]) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        here = Path(folder)
        below[:] = sorted(name for name in below if name not in _SKIPPED and here / name not in skip)
        yield from (here / name for name in sorted(names) if here / name not in skip)


def _has(path: Path, words: Words) -> bool:
    wanted = [text.encode(code) for text in words.texts for code in _CODES]
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if not any(data.find(one) >= 0 for one in wanted):
                    return False
                database, text = data[:16] == _SQLITE, _text_of(data)
    except (ValueError, OSError):
        return False  # it went meanwhile, or is no file that can be read
    return _in_cells(path, words) if database else text is None or words.stand_in(text)


def _text_of(data: mmap.mmap) -> str | None:
    """A file as text; None where it is none."""
    try:
        return None if data.find(b"\0") >= 0 else data[:].decode()
    except UnicodeDecodeError:
        return None


def _in_cells(path: Path, words: Words) -> bool:
    """Whether a cell has one as a word. Where no cell has it at all, it is left in a page that was not written anew."""
    any_cell = False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            for text in _cells(database, words.texts):
                any_cell = True
                if words.stand_in(text):
                    return True
    except sqlite3.Error:
        return True
    return not any_cell


def _cells(database: sqlite3.Connection, texts: Sequence[str]) -> Iterator[str]:
    """The texts of a database that have one of some texts in them."""
    database.text_factory = lambda data: data.decode(errors="replace")
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    for (table,) in database.execute(tables).fetchall():
        for column in database.execute(f"PRAGMA table_info({quote_name(table)})").fetchall():
            cell = f"CAST({quote_name(column[1])} AS TEXT)"
            for text in texts:
                sql = f"SELECT {cell} FROM {quote_name(table)} WHERE instr({cell}, ?)"
                yield from (row[0] for row in database.execute(sql, [text]))


if __name__ == "__main__":
    main()
