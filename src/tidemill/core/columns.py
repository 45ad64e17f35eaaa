"""What is said of columns beyond their values: a description, and flags of policy; in SQL, or in tidemill.toml.

SQL says it as column OPTIONS, the settings as ``[tables.NAME.columns.COLUMN]``, in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.entries import Entry, Place, section_values
from tidemill.core.errors import SettingsError
from tidemill.core.names import asset_key, did_you_mean, name_key

SETTINGS = "tidemill.toml"
HIDDEN = "(hidden)"
"""What stands in the place of a value that is personal data."""

PII = (
    "name",
    "email",
    "phone",
    "address",
    "location",
    "birth_date",
    "identifier",
    "account",
    "card",
    "ip_address",
    "health",
    "free_text",
    "other",
)
"""Kinds of personal data that a column may be declared to hold."""

COLUMN: tuple[Entry, ...] = (
    Entry(name="description", default="", doc="What the column is, in words."),
    Entry(
        name="protected",
        default=False,
        doc="Whether the column tells a protected group, such as sex or origin. It is recorded and shown; what a model"
        " is judged by stands in gates.groups.",
    ),
    Entry(
        name="pii",
        default="",
        choices=("", *PII),
        doc="The kind of personal data it holds. Its values are hidden in samples of failing rows, in tidemill.rejects,"
        " in profiles, in comparisons by tidemill drift, and in what the monitor and its alerts tell. Queries show them"
        " as they are.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnNote:
    """What is said of one column in one place.

    Parameters
    ----------
    said
        Only what was given, by the names of `COLUMN`.
    lines
        The line on which each of these stands.
    """

    name: str
    said: Mapping[str, Any]
    file: str
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def hidden(self) -> bool:
        """Whether its values are personal data."""
        return bool(self.said.get("pii"))


Notes = Mapping[str, Mapping[str, ColumnNote]]
"""Notes by the key of the table and the key of the column."""


def table_notes(given: Any, place: Place) -> Notes:
    """Check ``[tables]``: of each table ``columns``, and of each column the rows of `COLUMN`.

    Raises
    ------
    SettingsError
        A name is unknown, or a value is of the wrong kind.
    """
    found: dict[str, dict[str, ColumnNote]] = {}
    for table, section in _tables("tables", given, place).items():
        path = f"tables.{table}"
        for key in _table(path, section, place):
            if key != "columns":
                hint = did_you_mean(key, ["columns"])
                raise SettingsError(f"unknown setting {path}.{key}", where=place(f"{path}.{key}"), hint=hint)
        columns = _tables(f"{path}.columns", section.get("columns", {}), place)
        notes = {name_key(name): _note(f"{path}.columns.{name}", name, said, place) for name, said in columns.items()}
        if asset_key(table) in found:
            raise SettingsError(f"{path} stands twice, in other letters", where=place(path))
        found[asset_key(table)] = notes
    return found


def _note(path: str, name: str, given: Any, place: Place) -> ColumnNote:
    values = section_values(path, given, COLUMN, place)
    lines = {entry: where.line for entry in given if (where := place(f"{path}.{entry}")) is not None}
    return ColumnNote(name=name, said={entry: values[entry] for entry in given}, file=SETTINGS, lines=lines)


def _tables(path: str, given: Any, place: Place) -> Mapping[str, Any]:
    named = _table(path, given, place)
    for name, section in named.items():
        _table(f"{path}.{name}", section, place)
    return named


def _table(path: str, given: Any, place: Place) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path} must be a table: [{path}]", where=place(path))
    return given


def hidden_names(*notes: Mapping[str, ColumnNote] | None) -> frozenset[str]:
    """The keys of the columns whose values are hidden, by what is said of them in several places."""
    return frozenset(key for some in notes for key, note in (some or {}).items() if note.hidden)


def hide(row: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    """A row without the values of some columns; that there is none is still seen."""
    return {name: HIDDEN if value is not None and name_key(name) in hidden else value for name, value in row.items()}
