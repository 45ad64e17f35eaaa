"""OPTIONS(...) of a column: the rows of `core.columns.COLUMN`, and BigQuery's, which are read and ignored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.core.columns import COLUMN, ColumnNote
from tidemill.core.errors import OptionError
from tidemill.core.names import did_you_mean, name_key
from tidemill.model_types.base import Option
from tidemill.sql.options import at_name, read_options
from tidemill.sql.statements import ColumnDef, OptionValue, Source

_KINDS = {str: "str", bool: "bool"}

COLUMN_OPTIONS: tuple[Option, ...] = (
    *(
        Option(
            name=entry.name.upper(),
            kind="enum" if entry.choices else _KINDS[type(entry.default)],
            # An enum is read in capitals, whatever the letters it is written in.
            choices=tuple(choice.upper() for choice in entry.choices if choice),
            doc=entry.doc,
        )
        for entry in COLUMN
    ),
    *(
        Option(name=name, kind="any", status="partial", reason=f"ignored: {why}")
        for name, why in (
            ("ROUNDING_MODE", "decimals are rounded as the engine rounds them"),
            ("POLICY_TAGS", "who may read a column is not decided here"),
            ("DATA_POLICIES", "who may read a column is not decided here"),
        )
    ),
)


def column_notes(columns: Sequence[ColumnDef], source: Source) -> tuple[dict[str, ColumnNote], tuple[str, ...]]:
    """What a column list says of its columns, by their keys; and a sentence for each option that is ignored.

    Raises
    ------
    OptionError
        An option is unknown, given twice, or of the wrong kind.
    """
    found: dict[str, ColumnNote] = {}
    told: list[str] = []
    for column in columns:
        if not column.options:
            continue

        def unknown(option: OptionValue) -> OptionError:
            name = option.name.upper()
            hint = did_you_mean(name, [row.name for row in COLUMN_OPTIONS])
            return OptionError(f"a column has no option {name}", where=at_name(option, source), hint=hint, option=name)

        read = read_options(COLUMN_OPTIONS, column.options, source=source, unknown=unknown)
        told += read.notes
        names = [entry.name for entry in COLUMN if entry.name in read.places]
        said: dict[str, Any] = {name: read.values[name] for name in names}
        if said.get("pii"):
            said["pii"] = said["pii"].lower()
        if said:
            lines = {name: read.places[name].name_line for name in names}
            found[name_key(column.name)] = ColumnNote(name=column.name, said=said, file=source.file, lines=lines)
    return found, tuple(told)
