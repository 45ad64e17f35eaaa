"""The control database as tables, read when a query asks for them.

``system_tables(db) -> dict[str, Callable[[], pa.Table]]`` is what ``Warehouse.session(system=...)`` takes. Times are
timestamps in UTC without a zone; structures are JSON text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidemill.warehouse.control.database import Database, parse_time
from tidemill.warehouse.control.system.builds import BUILDS
from tidemill.warehouse.control.system.models import MODELS
from tidemill.warehouse.control.system.serving import SERVING
from tidemill.warehouse.control.system.table import SystemTable
from tidemill.warehouse.control.system.watching import WATCHING
from tidemill.warehouse.control.system.work import WORK

if TYPE_CHECKING:
    import pyarrow as pa

TABLES: dict[str, SystemTable] = {**BUILDS, **MODELS, **SERVING, **WATCHING, **WORK}


def system_tables(db: Database) -> dict[str, Callable[[], pa.Table]]:
    """Readers by table name; each reads what is there when it is called."""
    return {name: functools.partial(read_table, db, table) for name, table in TABLES.items()}


def read_table(db: Database, table: SystemTable) -> pa.Table:
    """Read one table, with its types even when it is empty."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "json": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us"),
    }
    with db.read() as tx:
        rows = tx.rows(table.sql)
    arrays = [pa.array([_value(row[name], kind) for row in rows], types[kind]) for name, kind in table.columns.items()]
    return pa.table(arrays, names=list(table.columns))


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "time":
        return parse_time(value).replace(tzinfo=None)
    return bool(value) if kind == "bool" else value
