"""What a project says of its columns, from its statements and its settings: checked, put together, and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tidemill.core.columns import COLUMN, SETTINGS, ColumnNote, Notes, hidden_names
from tidemill.core.errors import OptionError, SettingsError, Where
from tidemill.core.names import asset_key, did_you_mean, name_key
from tidemill.sql.statements import CreateTable, LoadData
from tidemill.warehouse.control.system.table import SystemTable

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import Statement, Summary
    from tidemill.warehouse.control.assets import Asset
    from tidemill.warehouse.protocol import Column, Warehouse

KINDS = ("table", "load", "view")


def noted(summary: Summary) -> dict[str, ColumnNote]:
    """What a statement says of its columns, by their keys."""
    return {
        key: ColumnNote(name=one["name"], said=one["said"], file=summary.file, lines=one["lines"])
        for key, one in summary.columns.items()
    }


def notes_of(stations: Stations, name: str) -> dict[str, ColumnNote]:
    """What the statements as they are now and the settings say of a table's columns, by their keys."""
    return notes_of_each(stations, [name])[name]


def notes_of_each(stations: Stations, names: Sequence[str]) -> dict[str, dict[str, ColumnNote]]:
    """The same of several tables, by the names given: the project's statements are looked at once, if at all."""
    from tidemill.runner.statements import ProjectStatements
    from tidemill.warehouse.control.assets import load_assets

    assets = load_assets(stations.db)
    project: Sequence[Summary] | None = None
    found: dict[str, dict[str, ColumnNote]] = {}
    for name in names:
        asset = assets.get(asset_key(name))
        if asset is not None and asset.origin == "sql" and asset.statement:
            found[name] = _notes(_typed(asset), name, stations.settings.tables)
            continue
        if project is None:
            project = ProjectStatements(stations.root, stations.settings.dialect, stations.db).summaries()
        found[name] = _notes(project, name, stations.settings.tables)
    return found


def _typed(asset: Asset) -> list[Summary]:
    """The statement of a table that was made by hand, not by a file of the project."""
    from tidemill.sql.parse import parse_text
    from tidemill.sql.summarise import summarise

    return [summarise(one, 0) for one in parse_text(asset.statement, file="<sql>", dialect=asset.dialect)]


def _notes(summaries: Sequence[Summary], name: str, settings: Notes) -> dict[str, ColumnNote]:
    found: dict[str, ColumnNote] = {}
    for summary in summaries:
        if asset_key(summary.name) == asset_key(name):
            found |= noted(summary)
    for key, note in settings.get(asset_key(name), {}).items():
        before = found[key].said if key in found else {}
        found[key] = replace(note, said={**before, **note.said})
    return found


def hidden_in(statement: Statement, settings: Notes) -> frozenset[str]:
    """The keys of the columns of a statement's table whose values are hidden."""
    if not isinstance(statement, CreateTable | LoadData):
        return frozenset()
    from tidemill.sql.column_options import column_notes

    own, _ = column_notes(statement.columns, statement.source)
    return hidden_names(own, settings.get(asset_key(statement.name)))


def require_notes(summaries: Sequence[Summary], settings: Notes) -> None:
    """Refuse settings of tables that nobody makes, and two places that say different things of a column.

    Raises
    ------
    SettingsError
        No statement makes a table of that name.
    OptionError
        The statement says something else than the settings.
    """
    made = {asset_key(summary.name): summary for summary in summaries if summary.kind in KINDS}
    for key, columns in settings.items():
        if key not in made:
            where = next((_line(note) for note in columns.values()), None)
            hint = did_you_mean(key, [summary.name for summary in made.values()])
            raise SettingsError(f"[tables.{key}]: no statement makes such a table or view", where=where, hint=hint)
        for column, note in noted(made[key]).items():
            _require_same(made[key].name, note, columns.get(column))


def _require_same(table: str, note: ColumnNote, other: ColumnNote | None) -> None:
    for name, value in note.said.items():
        if other is not None and name in other.said and other.said[name] != value:
            raise OptionError(
                f"{table}.{note.name}: {name} is {value!r} here and {other.said[name]!r} in {_place(other, name)}",
                where=Where(file=note.file, line=note.lines[name], column=1),
                hint="say it in one of the two places",
            )


def require_columns(table: str, columns: Sequence[Column], settings: Notes) -> None:
    """Refuse settings of columns that a table does not have.

    Raises
    ------
    SettingsError
        There is no column of that name.
    """
    names = [column.name for column in columns]
    known = {name_key(name) for name in names}
    for key, note in settings.get(asset_key(table), {}).items():
        if key not in known:
            hint = did_you_mean(note.name, names)
            raise SettingsError(f"{SETTINGS}: {table} has no column {note.name}", where=_line(note), hint=hint)


def _line(note: ColumnNote) -> Where | None:
    line = min(note.lines.values(), default=0)
    return Where(file=note.file, line=line, column=1) if line else None


def _place(note: ColumnNote, name: str) -> str:
    return f"{note.file}:{note.lines[name]}" if name in note.lines else note.file


def columns_table(
    summaries: Callable[[], Sequence[Summary]], settings: Notes, warehouse: Callable[[], Warehouse]
) -> pa.Table:
    """``tidemill.columns``: every column of every table in the lake, and every column that something is said of."""
    import pyarrow as pa

    own = {asset_key(one.name): one for one in summaries() if one.kind in KINDS}
    there = {asset_key(name): name for name in warehouse().tables() if not name.startswith("tidemill_")}
    rows: list[dict[str, Any]] = []
    for key in sorted({*there, *(key for key, one in own.items() if one.columns), *settings}):
        statement = noted(own[key]) if key in own else {}
        name = there.get(key) or (own[key].name if key in own else key)
        types = {name_key(column.name): column for column in warehouse().columns(name)} if key in there else {}
        rows += [
            _row(name, column, types.get(column), statement.get(column), settings.get(key, {}).get(column))
            for column in dict.fromkeys([*types, *statement, *settings.get(key, {})])
        ]
    kinds = {"bool": pa.bool_(), "text": pa.string()}
    return pa.table(
        {name: pa.array([row[name] for row in rows], kinds[kind]) for name, kind in COLUMNS_TABLE.columns.items()}
    )


COLUMNS_TABLE = SystemTable(
    about="Each column of each table in the lake, and each that something is said of: what, and where.",
    columns={
        "table_name": "text",
        "column_name": "text",
        "type": "text",
        **{entry.name: "bool" if entry.default is False else "text" for entry in COLUMN},
        "declared_in": "text",
    },
)
"""``tidemill.columns``."""


def _row(table: str, key: str, column: Column | None, *notes: ColumnNote | None) -> dict[str, Any]:
    given = [note for note in notes if note is not None]
    said = {name: value for note in given for name, value in note.said.items()}
    places = [f"{note.file}:{min(note.lines.values())}" if note.lines else note.file for note in given]
    return {
        "table_name": table,
        "column_name": column.name if column else next((note.name for note in given), key),
        "type": column.type if column else None,
        "description": said.get("description") or None,
        "protected": bool(said.get("protected", False)),
        "pii": said.get("pii") or None,
        "declared_in": ", ".join(places) or None,
    }
