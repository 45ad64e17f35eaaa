"""What the options of an incremental table add: keys and deletions decide which rows there are."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import errors, exp, parse_one  # noqa: TID253

from tidemill.column_lineage.flow import NOTHING, Flow, Relation, merged, through
from tidemill.sql.statements import CreateTable


def increment_flow(statement: CreateTable, rows: Relation) -> Flow:
    """What decides which rows an incremental table keeps of those its query gives; nothing for any other table."""
    values = {option.name.lower(): option.value for option in statement.options}
    if not values.get("incremental_by"):
        return NOTHING
    keys = values.get("unique_key") or ()
    deciding = [str(values["incremental_by"]), *_named(str(values.get("deleted_when") or ""), statement.source.dialect)]
    return merged(
        [
            through(_found(rows, [keys] if isinstance(keys, str) else keys), "group_by"),
            through(_found(rows, deciding), "filter"),
        ]
    )


def _found(rows: Relation, names: Iterable[str]) -> Flow:
    return merged(out.flow for name in names if (out := rows.find(str(name))) is not None)


def _named(condition: str, dialect: str) -> list[str]:
    """The columns that a condition names; one that cannot be read is refused where the table is built."""
    try:
        tree = parse_one(condition, read=dialect) if condition else None
    except errors.SqlglotError:
        return []
    return [column.name for column in tree.find_all(exp.Column)] if tree is not None else []
