"""The ledger: a file beside the project that remembers who was erased, so that no restored backup brings them back.

It holds no names: each line has keyed digests of values of columns. The key is the salt of its first line, so whoever
has the file can test a guess, and nobody else can. Lines are only added, each durable before anything is erased.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tidemill.core.errors import CorruptError
from tidemill.governance.subject import Mark
from tidemill.warehouse.duckdb.places import sync

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request to be erased, as the ledger has it."""

    erasure_id: str
    at: datetime
    who: str
    why: str
    marks: tuple[Mark, ...]

    def line(self) -> dict[str, Any]:
        """The entry as a line."""
        marks = [
            {"column": mark.column, "digests": list(mark.digests), "shown": list(mark.shown)} for mark in self.marks
        ]
        return {"erase": self.erasure_id, "at": self.at.isoformat(), "who": self.who, "why": self.why, "of": marks}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the file says: its salt, and the entries that hold, oldest first."""

    salt: str
    entries: tuple[Entry, ...]


def read_ledger(path: Path) -> Ledger | None:
    """Read the file; None while nobody was ever erased.

    Raises
    ------
    CorruptError
        A line cannot be read.
    """
    try:
        *lines, last = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    # A line that a killed process had begun has no end: nobody was told that it is there.
    if last and (not lines or _is_whole(last)):
        lines.append(last)
    salt, entries = "", {}
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            if number == 1:
                salt = str(told["salt"])
            elif "erase" in told:
                entries[str(told["erase"])] = _entry(told)
            else:
                entries.pop(str(told["take_back"]), None)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path, number) from error
    return Ledger(salt=salt, entries=tuple(entries.values())) if salt else None


def salt_of(path: Path) -> str:
    """The ledger's salt; the file is made when there is none."""
    with _appending(path) as file:
        found = read_ledger(path)
        if found is not None:
            return found.salt
        salt = os.urandom(32).hex()
        _write(file, {"ledger": FORMAT, "salt": salt})
        return salt


def add_entry(path: Path, entry: Entry) -> None:
    """Add an entry; when this returns it is durable."""
    with _appending(path) as file:
        _write(file, entry.line())


def take_back(path: Path, erasure_id: str, *, at: datetime, who: str) -> None:
    """Let the values of an entry come in again: rows that are gone stay gone."""
    salt_of(path)  # a ledger that was lost begins anew
    with _appending(path) as file:
        _write(file, {"take_back": erasure_id, "at": at.isoformat(), "who": who})


@contextmanager
def _appending(path: Path) -> Iterator[int]:
    """The file, open for one process at a time; it is made readable for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        sync(path.parent)
    finally:
        os.close(file)


def _write(file: int, told: dict[str, Any]) -> None:
    data = os.pread(file, os.fstat(file).st_size, 0)
    end = data.rfind(b"\n") + 1
    whole = _is_whole(data[end:])
    if data[end:] and not whole:
        os.ftruncate(file, end)  # a line that a killed process had begun
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    os.write(file, f"{chr(10) if whole else ''}{text}\n".encode())
    os.fsync(file)


def _is_whole(line: bytes) -> bool:
    """Whether a line that has no end lacks nothing else."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _entry(told: dict[str, Any]) -> Entry:
    marks = tuple(
        Mark(
            column=str(one["column"]),
            digests=tuple(map(str, one["digests"])),
            shown=tuple(map(str, one.get("shown", ()))),
        )
        for one in told["of"]
    )
    return Entry(
        erasure_id=str(told["erase"]),
        at=datetime.fromisoformat(told["at"]),
        who=str(told["who"]),
        why=str(told["why"]),
        marks=marks,
    )


def _damaged(path: Path, number: int) -> CorruptError:
    return CorruptError(
        f"the ledger of erasures cannot be read: line {number} of {path} is damaged",
        hint="put it back from a copy: without it nobody knows whom a backup would bring back",
        file=str(path),
        line=number,
    )
