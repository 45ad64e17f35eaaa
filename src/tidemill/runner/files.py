"""The files that a statement reads: how each is read, which of its rows are bad, and that nobody wrote it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from tidemill.core.errors import DataError, SourceError, TidemillError
from tidemill.runner.scratch import Scratch
from tidemill.sources.bad_rows import BadRow
from tidemill.sources.formats import FileRelation, Format, format_of, format_read_by, open_files
from tidemill.sources.patterns import files_of, is_literal, is_remote
from tidemill.warehouse.control.input_files import load_input_files

if TYPE_CHECKING:
    from tidemill.sql.file_reads import FileRead
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Session

Made = TypeVar("Made")


class Place(Protocol):
    """What is needed of the project: its folder, and what was recorded of its files."""

    @property
    def root(self) -> Path:
        """The project's folder."""

    @property
    def db(self) -> Database:
        """The control database."""


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """A place without its stations."""

    root: Path
    db: Database


class FileReads:
    """The files that one statement reads. Pass `sql` to `bind_query`.

    Parameters
    ----------
    sure
        Look at every row before anything is read: for statements that read more than once, or hand rows on as they
        come. Otherwise types are told from the first rows, and `attempt` begins anew when those mislead.
    planned
        Whether digests of the files were taken for the plan: a file that was written since is refused.
    types
        Declared types of columns, where the statement takes all columns of one read as they are.
    """

    def __init__(
        self,
        place: Place,
        session: Session,
        *,
        max_bad_rows: int = 0,
        sure: bool = False,
        planned: bool = False,
        types: Mapping[str, str] | None = None,
    ) -> None:
        self._root = place.root
        self._session = session
        self._limit = max_bad_rows
        self._sure = sure
        self._types = dict(types or {})
        self._opened: dict[str, FileRelation | None] = {}
        self._seen: dict[Path, os.stat_result] = {}
        self._known = load_input_files(place.db) if planned else {}
        self._scratch = Scratch(place.root)

    def sql(self, read: FileRead) -> str | None:
        """How the engine reads what a query names; None leaves it to the engine."""
        key = repr((read.reader, read.patterns, sorted(read.options.items(), key=lambda item: item[0])))
        if key not in self._opened:
            self._opened[key] = self._open(read)
        relation = self._opened[key]
        if relation is None:
            self._require_pattern(read)
            return None
        return relation.sql()

    def attempt(self, make: Callable[[], Made]) -> Made:
        """Do something that reads the files. When a row is not as the first ones are, all are looked at, once.

        Raises
        ------
        TidemillError
            What ``make`` raises, or that there are too many bad rows, or that a file was written meanwhile.
        """
        try:
            made = make()
        except TidemillError as error:
            if isinstance(error, DataError):  # rows of a file that is being written are bad for that reason alone
                self.require_same()
            waiting = [one for one in self._opened.values() if one is not None and one.may_mend(error)]
            if not waiting:
                raise
            for relation in waiting:
                relation.look_closer()
            return self.attempt(make)
        return made

    def close(self) -> None:
        """Let copies of files go at once; without it they go with this object."""
        self._scratch.close()

    def require_same(self) -> None:
        """Refuse to go on with rows of a file that was written, moved or removed while it was read.

        Raises
        ------
        SourceError
            It is not the file that was looked at.
        """
        for path, before in self._seen.items():
            try:
                now = path.stat()
            except OSError:
                now = None
            if now is None or _state(now) != _state(before):
                what = "changed" if now is not None else "disappeared"
                raise SourceError(
                    f"{self._shown(path)} {what} while it was read: nothing of it is kept",
                    hint="run again when whoever writes it is done",
                    file=self._shown(path),
                )

    @property
    def read(self) -> tuple[str, ...]:
        """The files that were read, as people are told of them."""
        return tuple(map(self._shown, self._seen))

    @property
    def bad_rows(self) -> tuple[BadRow, ...]:
        """Rows that are not loaded."""
        return tuple(row for one in self._opened.values() if one is not None for row in one.bad_rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know: how files are read where it is not the usual way, and how many rows are not."""
        opened = [one for one in self._opened.values() if one is not None]
        notes = list(dict.fromkeys(note for one in opened for note in one.notes))
        count = sum(one.bad_count for one in opened)
        if count:
            notes.append(
                f"{count:,} bad row{'s are' if count != 1 else ' is'} not loaded: SELECT * FROM tidemill.rejects"
            )
        return tuple(notes)

    def _open(self, read: FileRead) -> FileRelation | None:
        found = format_read_by(read.reader) if read.reader else format_of(read.patterns[0])
        if found is None or any(is_remote(pattern) for pattern in read.patterns):
            return None
        paths = [path for pattern in read.patterns for path in files_of(pattern, self._root)]
        for path in paths:
            self._see(path)
        if not paths:
            return None
        relation = self._relation(found, paths, read)
        if relation is not None and self._sure:
            relation.look_closer()
        return relation

    def _require_pattern(self, read: FileRead) -> None:
        """Refuse to leave a file to the engine that takes the file's name for a pattern of other files."""
        for pattern in read.patterns:
            if is_literal(pattern, self._root):
                raise SourceError(
                    f"{pattern} is a file, and with these options the engine would take its name for a pattern",
                    hint="give the file a name without [, * and ?",
                    file=pattern,
                )

    def _relation(self, format_: Format, paths: list[Path], read: FileRead) -> FileRelation | None:
        scratch, number = self._scratch, str(len(self._opened))
        return open_files(
            format_,
            [(path, self._shown(path)) for path in dict.fromkeys(paths)],
            read.options,
            self._session,
            scratch=lambda: scratch.folder(number),
            max_bad_rows=self._limit,
            types=self._types,
        )

    def _see(self, path: Path) -> None:
        now = path.stat()
        known = self._known.get(str(path))
        if known is not None and _state(now) != (known.bytes, known.mtime_ns, known.ctime_ns):
            raise SourceError(
                f"{self._shown(path)} changed after the plan was made",
                hint="run again when whoever writes it is done",
                file=self._shown(path),
            )
        self._seen[path] = now

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._root) if path.is_relative_to(self._root) else str(path)


def _state(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
