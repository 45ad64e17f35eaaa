"""Which files of a set are to be read: each is known by its digest, so a second delivery is not read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_value
from tidemill.core.errors import SourceError, UnavailableError
from tidemill.runner.inputs import file_digests

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNote:
    """What is to be said of a file, once: the same note of other bytes is another one."""

    text: str
    digest: str = ""

    @property
    def key(self) -> str:
        """What tells the note from others."""
        return digest_value([self.text, self.digest])[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNews:
    """What is new in a set of files.

    Parameters
    ----------
    read
        Files to read, with their digests; as seen from the project.
    noted
        Files to remember beside them: the same bytes were read under another name.
    empty
        Whether the pattern names no file at all.
    amends
        Whether files that were read before have other bytes now, or are gone: their rows may be said anew.
    """

    pattern: str
    read: Mapping[str, str]
    noted: Mapping[str, str]
    empty: bool
    amends: bool = False
    notes: tuple[FileNote, ...] = ()

    @property
    def state(self) -> dict[str, str]:
        """What to remember of the set once the rows are in the table."""
        return {**self.read, **self.noted}

    def older(self, missing: Sequence[str]) -> FileNote:
        """What is to be said of files that have not all columns of the table."""
        names = list(self.read)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        have = "has" if len(names) == 1 else "have"
        text = f"{', '.join(names[:3])}{more} {have} no {', '.join(missing)}: NULL there"
        return FileNote(text=text, digest=digest_value(list(self.read.values())))


def file_news(pattern: str, loaded: Mapping[str, str], *, keyed: bool, table: str, stations: Stations) -> FileNews:
    """Look at a set of files.

    Parameters
    ----------
    loaded
        The files that are in the table already, with their digests.
    keyed
        Whether rows that come again take the place of the old ones.

    Raises
    ------
    SourceError
        A file that was loaded has changed, and its rows in the table cannot be told from others.
    """
    now = file_digests([pattern], root=stations.root, db=stations.db)[pattern]
    first = {digest: path for path, digest in loaded.items()}
    read: dict[str, str] = {}
    noted: dict[str, str] = {}
    notes: list[FileNote] = []
    changed: list[str] = []
    for path, digest in sorted(now.items()):
        if loaded.get(path) == digest:
            continue
        if digest in first:
            noted[path] = digest
            notes.append(FileNote(text=f"{path} holds the same bytes as {first[digest]}: it is not loaded again"))
            continue
        if path in loaded:
            changed.append(path)
        first[digest] = path
        read[path] = digest
    if changed and not keyed:
        raise SourceError(
            f"{', '.join(changed[:5])} changed after {'it was' if len(changed) == 1 else 'they were'} loaded into "
            f"{table}, and without a unique_key the old rows cannot be found",
            hint=f"add unique_key = [...], or: tidemill run --full-refresh {table}",
            files=changed,
        )
    again = "changed after it was loaded: its rows are merged again"
    notes += [FileNote(text=f"{path} {again}", digest=now[path]) for path in changed]
    gone = [path for path in loaded if path not in now]
    if gone:
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        text = f"{', '.join(gone[:3])}{more} {'is' if len(gone) == 1 else 'are'} gone: the rows stay"
        notes.append(FileNote(text=text))
    amends = bool(changed or gone)
    return FileNews(pattern=pattern, read=read, noted=noted, empty=not now, amends=amends, notes=tuple(notes))


def require_same(news: FileNews, *, stations: Stations) -> None:
    """Refuse rows of files that changed while they were read.

    Raises
    ------
    UnavailableError
        A file has other bytes now.
    """
    now = file_digests([news.pattern], root=stations.root, db=stations.db)[news.pattern]
    moved = [path for path, digest in news.read.items() if now.get(path) != digest]
    if moved:
        raise UnavailableError(f"{', '.join(moved[:5])} changed while being read", hint="run again when it is complete")
