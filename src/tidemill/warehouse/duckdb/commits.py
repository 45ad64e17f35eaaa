"""What was committed, as our own commits say it: each carries a JSON note with its table, files and digests.

The note is written in the transaction that makes the rows visible, so it is there exactly when they are.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tidemill.core.errors import BusyError, CorruptError
from tidemill.core.names import name_key
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of ours. ``action`` is replace, append or drop; rows, bytes and files are the table's after it.

    An append names the commit it adds to: a table of many appends would otherwise hold each file as often as there
    are appends after it.
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
    before: Commit | None = field(default=None, repr=False, compare=False)
    rows: int = 0
    bytes: int = 0

    @property
    def files(self) -> tuple[DataFile, ...]:
        """Every file of the table, oldest first."""
        chain: list[Commit] = []
        commit: Commit | None = self
        while commit is not None:
            chain.append(commit)
            commit = commit.before
        return tuple(file for link in reversed(chain) for file in link.added)

    def as_version(self) -> TableVersion:
        """The table's version that this commit made."""
        return TableVersion(
            table=self.table,
            version=self.version,
            created_at=self.created_at,
            run_id=self.run_id,
            step=self.step,
            rows=self.rows,
            bytes=self.bytes,
            message=self.message,
        )


class Commits:
    """All commits of a lake in order; read anew only when there are newer ones."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: list[Commit] = []
        self._lock = threading.Lock()

    def all(self) -> list[Commit]:
        """Every commit, oldest first."""
        if not self._engine.places.catalogue.exists():
            return []
        known = list(self._known)
        last = known[-1].version if known else 0
        for row in read_catalogue(self._engine, _COMMITS.format(last=int(last))):
            known.append(_commit(row, known))
        with self._lock:
            # Of two threads that looked at once, the one that saw more is believed.
            self._known = max(self._known, known, key=len)
        return known

    def of(self, table: str, version: int | None = None) -> Commit | None:
        """The newest commit of a table up to a version, a drop included; None when it never was."""
        key = name_key(table)
        for commit in reversed(self.all()):
            if name_key(commit.table) == key and (version is None or commit.version <= version):
                return commit
        return None

    def landed(self, run_id: str, step: str) -> Commit | None:
        """The commit of a run's step."""
        for commit in reversed(self.all()):
            if commit.run_id == run_id and commit.step == step:
                return commit
        return None

    def visible(self, *, known: bool = False, at: int | None = None) -> dict[str, Commit]:
        """The newest commit of each table that exists, by the table's name.

        Parameters
        ----------
        at
            Look no further than this version.
        known
            Do not look for newer commits: the caller holds the writer's lock and has just looked.
        """
        tables: dict[str, Commit] = {}
        for commit in self._known if known else self.all():
            if at is not None and commit.version > at:
                break
            if commit.action == "drop":
                tables.pop(name_key(commit.table), None)
            else:
                tables[name_key(commit.table)] = commit
        return {commit.table: commit for commit in sorted(tables.values(), key=lambda commit: commit.table)}


def note(
    *, action: str, table: str, run_id: str, step: str, columns: Sequence[Column], files: Sequence[DataFile]
) -> str:
    """The JSON that a commit carries: the files it adds, with their digests."""
    return json.dumps(
        {
            "action": action,
            "table": table,
            "run_id": run_id,
            "step": step,
            "columns": [[column.name, column.type] for column in columns],
            "files": [[file.path, file.sha256, file.bytes, file.rows] for file in files],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def read_catalogue(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the catalogue's own tables (https://ducklake.select/docs/stable/specification/introduction).

    Python's SQLite reads them in a millisecond while DuckDB sleeps; afterwards DuckDB does (see `engine`).
    """
    places = engine.places
    if not engine.started:
        with opening_lock():
            if not catalogue_is_open(places.catalogue):
                return _read_with_python(places.catalogue, sql)
    with translated(Asked(places=places)):
        name = engine.attach_catalogue()
        cursor = engine.clerk()
        try:
            cursor.execute(f"SET search_path = '{name}.main'")
            return cursor.execute(sql).fetchall()
        finally:
            cursor.close()


def _read_with_python(path: Path, sql: str) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as database:
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


def _commit(row: tuple[Any, ...], earlier: Sequence[Commit]) -> Commit:
    version, created_at, _, message, extra = row
    try:
        facts = json.loads(extra)
        table, action = facts["table"], facts["action"]
        files = tuple(DataFile(path=f[0], sha256=f[1], bytes=f[2], rows=f[3]) for f in facts["files"])
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
    if action == "append":
        before = next((c for c in reversed(earlier) if name_key(c.table) == name_key(table)), None)
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
        before=before,
        rows=sum(file.rows for file in files) + (before.rows if before is not None else 0),
        bytes=sum(file.bytes for file in files) + (before.bytes if before is not None else 0),
    )
