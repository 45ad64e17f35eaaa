"""Making staged rows visible: one transaction, under the writer's lock, that carries its own note."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import BindError, ConflictError, CorruptError
from tidemill.core.faults import fault
from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.warehouse.duckdb.bounds import widen_unknown
from tidemill.warehouse.duckdb.commits import AUTHOR, Commit, Commits, note, visible_in
from tidemill.warehouse.duckdb.engine import RESERVED_SCHEMAS, Engine
from tidemill.warehouse.duckdb.merging import take_away, take_out
from tidemill.warehouse.duckdb.places import Places, move
from tidemill.warehouse.protocol import Column, DataFile, Merge, Staged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one transaction does to one table. ``action`` is replace, append, merge, drop or compact.

    ``emptied`` are the files in whose place a compaction puts its own; they must still be the table's last ones when
    its rows have an order that others rely on (``at_end``).
    """

    action: str
    table: str
    run_id: str
    step: str
    message: str = ""
    columns: tuple[Column, ...] = ()
    files: tuple[DataFile, ...] = ()
    merge: Merge | None = None
    state: Mapping[str, Any] | None = None
    emptied: tuple[DataFile, ...] = ()
    at_end: bool = True


def is_system(table: str) -> bool:
    """Whether a table is one of the system's own."""
    return name_key(table).startswith("tidemill_") and "." in table


def split_table(table: str, *, system: bool = False) -> tuple[str, str]:
    """Schema and name of a table: ``sales.orders`` stands in schema ``sales``, ``orders`` in ``main``.

    Parameters
    ----------
    system
        Whether the table may be one of the system's own, in a schema called ``tidemill_...``.

    Raises
    ------
    BindError
        The name has too many parts, an empty part, or a schema that is taken.
    """
    parts = table.split(".")
    if len(parts) > 2 or not all(parts):
        raise BindError(f"{table!r} is not a table's name", hint="use NAME or DATASET.NAME", table=table)
    schema, name = parts if len(parts) == 2 else ("main", table)
    if name_key(schema) in RESERVED_SCHEMAS or (is_system(table) and not system):
        raise BindError(f"the dataset name {schema} is taken by the system", hint="use another name", table=table)
    return schema, name


def commit(
    engine: Engine, commits: Commits, known: Sequence[Commit], change: Change, guard: Callable[[], None]
) -> Commit:
    """Carry out a change (the caller holds the writer's lock); the commit that came of it.

    When the engine reports a failed COMMIT, the catalogue is asked whether it landed after all.

    Parameters
    ----------
    known
        Every commit there is: the caller has looked since it holds the lock.
    """
    moved: list[tuple[Path, Path]] = []
    try:
        files = _bring_in(engine.places, change, moved)
        _transact(engine, known, replace(change, files=files), guard)
    except BaseException as error:
        landed = commits.landed(change.run_id, change.step)
        if landed is not None and isinstance(error, Exception):
            return landed
        if landed is None:
            for source, target in reversed(moved):
                if target.exists():
                    target.rename(source)
        raise
    fault("publish.after_commit")
    landed = commits.landed(change.run_id, change.step)
    if landed is None:
        raise CorruptError(
            f"the warehouse accepted table {change.table} but does not show it", hint="run `tidemill verify`"
        )
    return landed


def _bring_in(places: Places, change: Change, moved: list[tuple[Path, Path]]) -> tuple[DataFile, ...]:
    """Move the staged files to where the table's files are."""
    schema, name = split_table(change.table, system=True)
    folder = places.data / _folder_name(schema) / _folder_name(name)
    files = []
    for file in change.files:
        source = places.lake / file.path
        if not source.exists():
            raise ConflictError(
                f"the rows staged for table {change.table} are gone: {file.path}", hint="run the step again"
            )
        target = folder / source.name
        moved.append((source, target))
        move(source, target)
        files.append(replace(file, path=places.relative(target)))
    fault("publish.after_move")
    return tuple(files)


def _transact(engine: Engine, known: Sequence[Commit], change: Change, guard: Callable[[], None]) -> None:
    # Before the transaction begins: whoever looks at the catalogue during it attaches nothing to the instance.
    engine.attach_catalogue()
    if change.action in ("append", "merge", "compact"):
        widen_unknown(engine)
    # The clerk has too little memory for taking rows out of files.
    with engine.writer(heavy=bool(change.emptied)) as (lake, cursor):
        cursor.execute("BEGIN TRANSACTION")
        try:
            _apply(cursor, lake, known, change, engine=engine)
            fault("publish.before_guard")
            guard()
            fault("publish.before_commit")
            cursor.execute("COMMIT")
        except BaseException:
            _roll_back(cursor)
            raise


def _apply(cursor: DuckDBPyConnection, lake: str, known: Sequence[Commit], change: Change, *, engine: Engine) -> None:
    schema, name = split_table(change.table, system=True)
    place = f"{lake}.{quote_name(schema)}"
    table = f"{place}.{quote_name(name)}"
    there = visible_in(known).values()
    before = next((one for one in there if name_key(one.table) == name_key(change.table)), None)
    effect = None
    if change.action == "drop":
        cursor.execute(f"DROP TABLE {table}")
    else:
        if change.merge is not None:
            _check_base(change, change.merge, before)
            assert before is not None  # noqa: S101 - checked just now
            _widen(cursor, table, before.columns, change.columns)
            effect = take_away(cursor, table, before, change.merge, files=change.files, engine=engine)
        elif change.action == "replace" or before is None:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {place}")
            if change.action == "replace":  # rows are never added to what somebody else has made meanwhile
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
            kinds = ", ".join(f"{quote_name(column.name)} {column.type}" for column in change.columns)
            cursor.execute(f"CREATE TABLE {table} ({kinds})")
        elif is_system(change.table):  # a log that an older Tidemill began gets the columns that are new since
            _widen(cursor, table, before.columns, change.columns)
        else:
            _check_same_columns(change.table, before.columns, change.columns)
        if change.emptied:
            _check_emptied(change, before)
            effect = take_out(cursor, table, change.emptied, change.files, places=engine.places)
        for file in change.files:
            path = quote_text(str(engine.places.lake / file.path))
            where = f"{quote_text(name)}, {path}, schema => {quote_text(schema)}"
            cursor.execute(f"CALL ducklake_add_data_files('{lake}', {where})")
    extra = note(
        action=change.action,
        table=change.table,
        run_id=change.run_id,
        step=change.step,
        columns=change.columns,
        files=change.files,
        effect=effect,
        state=change.state,
    )
    # Literals, not parameters: DuckDB's Python imports pandas, where it is installed, to look at a parameter (1.4 s).
    texts = f"{quote_text(change.message)}, extra_info => {quote_text(extra)}"
    cursor.execute(f"CALL {lake}.set_commit_message('{AUTHOR}', {texts})")


def _check_emptied(change: Change, before: Commit | None) -> None:
    """Files that are written anew are those of the table as it is now: rows may have come meanwhile, or gone."""
    files = before.files if before is not None else ()
    last = files[-len(change.emptied) :]
    if (change.at_end and last != change.emptied) or not set(change.emptied) <= set(files):
        raise ConflictError(
            f"table {change.table} changed while its files were written anew",
            hint="nothing was changed; run tidemill maintain again",
            table=change.table,
        )


def _check_base(change: Change, merge: Merge, before: Commit | None) -> None:
    """Rows that were computed from one version say nothing of what to do to another."""
    version = before.rows_from.version if before is not None else None
    if version != merge.base:
        now = f"is at version {version}" if version is not None else "is gone"
        raise ConflictError(
            f"table {change.table} {now}, and the new rows were computed from version {merge.base}",
            hint="run again",
            table=change.table,
        )


def _widen(cursor: DuckDBPyConnection, table: str, old: Sequence[Column], new: Sequence[Column]) -> None:
    """Add the columns that are new at the end; every other column must be as it was."""
    known = {name_key(column.name) for column in old}
    fresh = [column for column in new if name_key(column.name) not in known]
    _check_same_columns(table, old, [column for column in new if name_key(column.name) in known])
    for column in fresh:
        cursor.execute(f"ALTER TABLE {table} ADD COLUMN {quote_name(column.name)} {column.type}")


def _roll_back(cursor: DuckDBPyConnection) -> None:
    import duckdb

    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return  # a failed COMMIT has ended the transaction already; the first error is the one to tell


def _check_same_columns(table: str, old: Sequence[Column], new: Sequence[Column]) -> None:
    known = {name_key(column.name): column for column in old}
    fresh = {name_key(column.name): column for column in new}
    missing = [column.name for key, column in known.items() if key not in fresh]
    extra = [column.name for key, column in fresh.items() if key not in known]
    retyped = [
        f"{column.name} was {known[key].type}, is {column.type}"
        for key, column in fresh.items()
        if key in known and known[key].type != column.type
    ]
    if missing or extra or retyped:
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"new: {', '.join(extra)}"] if extra else []
        parts += retyped
        raise BindError(
            f"the new rows do not have the columns of table {table}: {'; '.join(parts)}",
            hint="rebuild the table with --full-refresh, or mend the query",
            missing=missing,
            extra=extra,
            retyped=retyped,
        )


def _folder_name(name: str) -> str:
    """A schema's or table's name as a folder. DuckLake keeps paths of plain names relative to the lake."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        return name
    return f"x-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def staged_change(
    staged: Staged,
    *,
    action: str,
    run_id: str,
    step: str,
    message: str,
    state: Mapping[str, Any] | None = None,
    merge: Merge | None = None,
) -> Change:
    """The change that makes staged rows visible."""
    return Change(
        action=action,
        table=staged.table,
        run_id=run_id,
        step=step,
        message=message,
        columns=(merge.columns if merge else ()) or staged.columns,
        files=staged.files if staged.rows or merge is None else (),
        merge=merge,
        state=state,
    )
