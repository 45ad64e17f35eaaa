"""What became of a table's columns since its last version, for errors that may come of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, DataError, NotFoundError
from tidemill.core.names import name_key
from tidemill.sql.statements import CreateTable

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.runner.execute import OpenQuery
    from tidemill.warehouse.protocol import Session, Warehouse


def tell_changes(
    error: BindError | DataError, statement: CreateTable, *, warehouse: Warehouse, session: Session, opened: OpenQuery
) -> None:
    """Add to an error which columns are gone, new or of another type than in the version before.

    Another order is no change: columns are known by their names.
    """
    try:
        version = warehouse.history(statement.name)[0].version
        before = session.schema(f"SELECT * FROM {warehouse.resting(statement.name, version).relation}")
        now = session.schema(opened.sql, opened.relations)
    except (NotFoundError, BindError, DataError):
        return  # there is no version before, or the query itself is what is wrong
    typed = {name_key(column.name) for column in statement.columns if column.type}
    changes = list(_changes(before, now, typed))
    if changes:
        error.message = f"{error.message}; compared with version {version}: {', '.join(changes)}"
        error.facts["columns_changed"] = changes


def _changes(before: pa.Schema, now: pa.Schema, typed: set[str]) -> Iterable[str]:
    """Types that the statement itself gives are not compared: the query's may be any that can be converted."""
    old = {name_key(field.name): field for field in before}
    new = {name_key(field.name): field for field in now}
    for key, field in old.items():
        if key not in new:
            yield f"{field.name} is gone"
    for key, field in new.items():
        if key not in old:
            yield f"{field.name} is new"
        elif key not in typed and field.type != old[key].type:
            yield f"{field.name} was {old[key].type}, is {field.type}"
