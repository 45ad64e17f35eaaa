"""What was committed, as our own commits say it: each carries a JSON note with its table, files and digests.

The note is written in the transaction that makes the rows visible, so it is there exactly when they are. When a
snapshot is expired its note goes with it: what is still needed of it is written to the table `FACTS` before.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tidemill.core.errors import BusyError, CorruptError
from tidemill.core.names import name_key, quote_text
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.errors import Asked, translated
from tidemill.warehouse.duckdb.instance import catalogue_is_open, opening_lock
from tidemill.warehouse.protocol import Column, DataFile, TableVersion

AUTHOR = "tidemill"

_COMMITS = f"""
SELECT s.snapshot_id, s.snapshot_time, c.author, c.commit_message, c.commit_extra_info
FROM ducklake_snapshot AS s JOIN ducklake_snapshot_changes AS c ON c.snapshot_id = s.snapshot_id
WHERE c.author = '{AUTHOR}' AND s.snapshot_id > {{last}} ORDER BY s.snapshot_id
"""

FACTS = "tidemill_commit"
"""A table of ours in the catalogue: notes of snapshots that were expired, as far as something needs them."""

_FACTS = f"SELECT version, created_at, message, note FROM {FACTS} ORDER BY version"

REWRITTEN = '"rewritten":true'
"""In the note of a commit before which notes of earlier ones were written anew (see `erase`)."""

Note = tuple[int, str, str, str]
"""A commit as it is read: version, time, message and the JSON note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFile:
    """A file that says which rows of a data file are gone; ``of`` is the path of the data file."""

    of: str
    file: DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a merge, or a compaction, did to the rows that were there.

    Parameters
    ----------
    removed
        Rows that went, of which ``deleted`` have nothing in their place.
    delete_files
        The delete file that counts from now on, of each data file that lost rows.
    emptied
        Paths of data files that have no row left.
    """

    removed: int = 0
    deleted: int = 0
    delete_files: tuple[DeleteFile, ...] = ()
    emptied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of ours; rows and bytes are the table's after it.

    ``action`` is replace, append, merge, drop, or compact: the same rows in other files, which is no new version of
    the table. All but replace and drop name the commit they add to: a table of many appends would otherwise hold each
    file as often as there are appends after it.
    """

    version: int
    created_at: datetime
    message: str
    action: str
    table: str
    run_id: str
    step: str
    columns: tuple[Column, ...] = ()
    added: tuple[DataFile, ...] = ()
    effect: Effect = field(default_factory=Effect)
    own_state: Mapping[str, Any] | None = None
    whole: bool = False  # it says all of the table, whatever was before
    before: Commit | None = field(default=None, repr=False, compare=False)
    brought: int = 0
    rows: int = 0
    bytes: int = 0

    @property
    def files(self) -> tuple[DataFile, ...]:
        """Every data file of the table that has rows, oldest first."""
        files: dict[str, DataFile] = {}
        for link in self._chain():
            files |= {file.path: file for file in link.added}
            for path in link.effect.emptied:
                files.pop(path, None)
        return tuple(files.values())

    @property
    def delete_files(self) -> tuple[DeleteFile, ...]:
        """The delete files that count, one at most for each data file."""
        marks: dict[str, DeleteFile] = {}
        for link in self._chain():
            marks |= {mark.of: mark for mark in link.effect.delete_files}
            for path in link.effect.emptied:
                marks.pop(path, None)
        return tuple(marks.values())

    @property
    def all_files(self) -> tuple[DataFile, ...]:
        """Every file that a reader of the table opens."""
        return (*self.files, *(mark.file for mark in self.delete_files))

    @property
    def state(self) -> dict[str, Any]:
        """What its commits say of how far the table is, added up."""
        state: dict[str, Any] = {}
        for link in self._chain():
            for name, value in (link.own_state or {}).items():
                both = isinstance(value, dict) and isinstance(state.get(name), dict)
                state[name] = {**state[name], **value} if both else value
        return state

    def _chain(self) -> Iterator[Commit]:
        """The commits that make the table what it is, oldest first."""
        chain: list[Commit] = []
        commit: Commit | None = self
        while commit is not None:
            chain.append(commit)
            commit = commit.before if not commit.whole else None
        return reversed(chain)

    @property
    def rows_from(self) -> Commit:
        """The commit that brought the rows as they are: this one, unless it only moved them to other files."""
        commit = self
        while commit.action == "compact" and commit.before is not None:
            commit = commit.before
        return commit

    def as_version(self) -> TableVersion:
        """The table's version that this commit shows."""
        made = self.rows_from
        return TableVersion(
            table=self.table,
            version=made.version,
            created_at=made.created_at,
            run_id=made.run_id,
            step=made.step,
            rows=self.rows,
            bytes=self.bytes,
            message=made.message,
            action=made.action,
            added=made.brought,
            replaced=made.effect.removed - made.effect.deleted,
            deleted=made.effect.deleted,
            watermark=str((made.own_state or {}).get("watermark", "")),
        )


class Commits:
    """All commits of a lake in order; read anew only when there are newer ones."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: list[Commit] = []
        self._looked: tuple[int, ...] = ()
        self._forgotten = 0
        self._lock = threading.Lock()

    def all(self) -> list[Commit]:
        """Every commit, oldest first."""
        if not self._engine.places.catalogue.exists():
            return []
        looked = self._changed()
        with self._lock:
            known, forgotten = list(self._known), self._forgotten
        news = self.newer(_last(known))
        if known and news and (news[0][0] > _last(known) + 1 or any(REWRITTEN in row[3] for row in news)):
            self.forget()  # another process has changed notes that we know, or expired the snapshot that said so
            return self.all()
        for row in news:
            known.append(_commit(row, known))
        with self._lock:
            # Of two threads that looked at once, the one that looked later is believed; none from before `forget`.
            if forgotten == self._forgotten:
                self._looked = looked
                if _last(known) > _last(self._known):
                    self._known = known
        return known

    def known_upto(self, version: int | None) -> list[Commit]:
        """The commits, oldest first, of which those up to a version are all there; None for every one.

        The catalogue is asked only when it was written to since: a session asks for what stands in its snapshot a
        dozen times, and what was before a version changes when rows are erased.
        """
        known, looked = self._known, self._looked
        if version is None or _last(known) < version or looked != self._changed():
            return self.all()
        return known

    def _changed(self) -> tuple[int, ...]:
        """What every commit of any process changes: when the catalogue and its WAL were written to, and sizes."""
        path = self._engine.places.catalogue
        found: list[int] = []
        for one in (path, path.with_name(f"{path.name}-wal")):
            with contextlib.suppress(FileNotFoundError):
                there = one.stat()
                found += [there.st_mtime_ns, there.st_size]
        return tuple(found)

    def forget(self) -> None:
        """Read everything anew the next time: snapshots were expired, maybe by another process."""
        with self._lock:
            self._known = []
            self._forgotten += 1

    def newer(self, last: int) -> list[Note]:
        """What was committed after a version, oldest first; after 0 it is everything."""
        read = read_catalogue(self._engine, _COMMITS.format(last=int(last)))
        alive: list[Note] = [(row[0], row[1], row[3], row[4]) for row in read]
        if last or not has_facts(self._engine):
            return alive
        # In this order: a snapshot that is expired between the two is in both, and never in neither.
        facts: list[Note] = [(row[0], row[1], row[2], row[3]) for row in read_catalogue(self._engine, _FACTS)]
        there = {row[0] for row in alive}
        return sorted([*alive, *(row for row in facts if row[0] not in there)], key=lambda row: row[0])

    def of(self, table: str, version: int | None = None) -> Commit | None:
        """The newest commit of a table up to a version, a drop included; None when it never was."""
        key = name_key(table)
        for commit in reversed(self.known_upto(version)):
            if name_key(commit.table) == key and (version is None or commit.version <= version):
                return commit
        return None

    def landed(self, run_id: str, step: str) -> Commit | None:
        """The commit of a run's step."""
        return landed_in(self.all(), run_id, step)

    def visible(self, *, at: int | None = None) -> dict[str, Commit]:
        """The newest commit of each table that exists, by the table's name; with ``at`` up to a version."""
        return visible_in(self.known_upto(at), at=at)


def landed_in(known: Sequence[Commit], run_id: str, step: str) -> Commit | None:
    """Of some commits that of a run's step."""
    return next((one for one in reversed(known) if one.run_id == run_id and one.step == step), None)


def visible_in(known: Sequence[Commit], *, at: int | None = None) -> dict[str, Commit]:
    """The newest commit of each table that exists after some commits, by the table's name."""
    tables: dict[str, Commit] = {}
    for commit in known:
        if at is not None and commit.version > at:
            break
        if commit.action == "drop":
            tables.pop(name_key(commit.table), None)
        else:
            tables[name_key(commit.table)] = commit
    return {commit.table: commit for commit in sorted(tables.values(), key=lambda commit: commit.table)}


def _last(known: Sequence[Commit]) -> int:
    return known[-1].version if known else 0


def note(
    *,
    action: str,
    table: str,
    run_id: str,
    step: str,
    columns: Sequence[Column],
    files: Sequence[DataFile],
    effect: Effect | None = None,
    state: Mapping[str, Any] | None = None,
    whole: tuple[int, int, int] | None = None,
    rewritten: bool = False,
) -> str:
    """The JSON that a commit carries: the files it adds, with their digests, and what it did to rows before them.

    Parameters
    ----------
    whole
        Rows and bytes of the table, and the rows that this commit brought, when the note says all of the table: the
        commits before it may be gone.
    rewritten
        Whether notes of earlier commits were changed.
    """
    facts: dict[str, Any] = {
        "action": action,
        "table": table,
        "run_id": run_id,
        "step": step,
        "columns": [[column.name, column.type] for column in columns],
        "files": [_listed(file) for file in files],
    }
    if effect is not None:
        facts["removed"] = [effect.removed, effect.deleted]
        facts["delete_files"] = [[mark.of, *_listed(mark.file)] for mark in effect.delete_files]
        facts["emptied"] = list(effect.emptied)
    if state is not None:
        facts["state"] = state
    if whole is not None:
        facts["whole"] = whole
    if rewritten:
        facts["rewritten"] = True
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def has_facts(engine: Engine) -> bool:
    """Whether notes of expired snapshots are kept."""
    sql = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{FACTS}'"
    return bool(read_catalogue(engine, sql, by_sqlite=True))


def _listed(file: DataFile) -> list[Any]:
    return [file.path, file.sha256, file.bytes, file.rows]


def _file(listed: list[Any]) -> DataFile:
    return DataFile(path=listed[0], sha256=listed[1], bytes=listed[2], rows=listed[3])


def _effect(facts: Mapping[str, Any]) -> Effect:
    removed, deleted = facts.get("removed", (0, 0))
    marks = tuple(DeleteFile(of=listed[0], file=_file(listed[1:])) for listed in facts.get("delete_files", ()))
    return Effect(removed=removed, deleted=deleted, delete_files=marks, emptied=tuple(facts.get("emptied", ())))


def read_catalogue(engine: Engine, sql: str, *, by_sqlite: bool = False) -> list[tuple[Any, ...]]:
    """Rows of the catalogue's own tables (https://ducklake.select/docs/stable/specification/introduction).

    Python's SQLite reads them in a millisecond while DuckDB sleeps; afterwards DuckDB does (see `engine`).

    Parameters
    ----------
    by_sqlite
        Let SQLite carry out the query within DuckDB, whose own `sqlite_master` lists the tables of all that is
        attached: doing so while DuckLake commits ended in a segmentation fault (6 first commits of 60 with three
        threads that look). Reading the catalogue's tables by their names meanwhile did not.
    """
    places = engine.places
    if not engine.started:
        with opening_lock():
            if not catalogue_is_open(places.catalogue):
                return _read_with_python(places.catalogue, sql)
    with translated(Asked(places=places)):
        name = engine.attach_catalogue()
        with contextlib.closing(engine.clerk()) as cursor:
            cursor.execute(f"SET search_path = '{name}.main'")
            asked = f"SELECT * FROM sqlite_query({quote_text(name)}, {quote_text(sql)})" if by_sqlite else sql
            return cursor.execute(asked).fetchall()


def _read_with_python(path: Path, sql: str) -> list[tuple[Any, ...]]:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise BusyError("the warehouse's catalogue is in use", hint="try again in a moment") from error
        raise _damaged(path, str(error)) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, detail: str) -> CorruptError:
    return CorruptError(
        f"the warehouse's catalogue {path} cannot be read: {detail}",
        hint="restore it from a backup; the Parquet files beside it hold the rows",
        file=str(path),
    )


def parse(rows: Iterable[Note]) -> list[Commit]:
    """Commits from what was read of them, oldest first."""
    found: list[Commit] = []
    for row in rows:
        found.append(_commit(row, found))
    return found


def _commit(row: Note, earlier: Sequence[Commit]) -> Commit:
    version, created_at, message, extra = row
    try:
        facts = json.loads(extra)
        table, action, whole = facts["table"], facts["action"], facts.get("whole")
        files = tuple(_file(listed) for listed in facts["files"])
        effect = _effect(facts)
        columns = tuple(Column(name=name, type=kind) for name, kind in facts["columns"])
        run_id, step = facts["run_id"], facts["step"]
        moment = datetime.fromisoformat(created_at)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise CorruptError(
            f"the warehouse's catalogue is damaged: the note of version {version} cannot be read",
            hint="restore catalog.sqlite from a backup",
            version=version,
        ) from error
    before = None
    if action in ("append", "merge", "compact"):
        before = next((c for c in reversed(earlier) if name_key(c.table) == name_key(table)), None)
    rows, size, brought = whole or _totals(files, effect, before)
    return Commit(
        version=version,
        created_at=moment,
        message=message or "",
        action=action,
        table=table,
        run_id=run_id,
        step=step,
        columns=columns,
        added=files,
        effect=effect,
        own_state=facts.get("state"),
        whole=whole is not None,
        before=before,
        brought=brought,
        rows=rows,
        bytes=size,
    )


def _totals(files: Sequence[DataFile], effect: Effect, before: Commit | None) -> tuple[int, int, int]:
    """Rows and bytes of a table after a commit that adds some files to what was before, and the rows of these."""
    brought, size = sum(file.rows for file in files), sum(file.bytes for file in files)
    rows = brought
    if before is not None:
        rows, size = rows + before.rows, size + before.bytes
        if effect.emptied:
            gone = set(effect.emptied)
            size -= sum(file.bytes for file in before.files if file.path in gone)
    return rows - effect.removed, size, brought
