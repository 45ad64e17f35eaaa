"""Values of people that no condition finds: in columns that nobody named, or told in other letters than they stand in.

A table made from theirs may call the e-mail address `contact`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidemill.core.names import name_key, quote_name, quote_path, quote_text
from tidemill.governance.conditions import Meant
from tidemill.governance.subject import Value
from tidemill.serving.log.tables import LABELS_TABLE, PREDICTIONS_TABLE

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations


def elsewhere(stations: Stations, values: Sequence[Value], meant: Meant) -> dict[str, int]:
    """Columns that hold a value which says by itself who is meant, with the rows, in rows that are not theirs.

    Of a table that is gone, or whose older versions alone have it, the name stands without a column.
    """
    telling = [value.text for value in values if value.telling]
    if not telling:
        return {}
    named = {name_key(value.column) for value in values}

    def others(table: str, columns: Sequence[str]) -> str:
        each = " OR ".join(_holds(column, telling) for column in columns if name_key(column) not in named)
        theirs = meant.condition(table, columns)
        return f"({each}) AND NOT ({theirs})" if each and theirs else each

    found: dict[str, int] = {}
    for one in stations.warehouse.upkeep.holding(others):
        found[one.table] = found.get(one.table, 0) + one.rows
    named_columns: dict[str, int] = {}
    for table, rows in sorted(found.items()):
        named_columns |= _by_column(stations, table, telling, named) or {table or "a file that nothing names": rows}
    return named_columns


def nearly(stations: Stations, values: Sequence[Value]) -> dict[str, int]:
    """Columns that were named and hold a value but for letter case and blanks around it, with the rows of today."""
    found: dict[str, int] = {}
    with stations.session() as session:
        for table in stations.warehouse.tables():
            for column in stations.warehouse.columns(table):
                told = [value.text for value in values if name_key(value.column) == name_key(column.name)]
                if not told or table in (PREDICTIONS_TABLE, LABELS_TABLE):
                    continue
                text = f"CAST({quote_name(column.name)} AS VARCHAR)"
                same = ", ".join(f"lower(trim({quote_text(one)}))" for one in told)
                sql = f"SELECT count(*) FROM {quote_path(table)} WHERE lower(trim({text})) IN ({same})"
                rows = int(session.fetch(sql)[0][0])
                if rows:
                    found[f"{table}.{column.name}"] = rows
    return found


def _by_column(stations: Stations, table: str, telling: Sequence[str], named: set[str]) -> dict[str, int]:
    if table not in stations.warehouse.tables():
        return {}
    columns = [column.name for column in stations.warehouse.columns(table) if name_key(column.name) not in named]
    with stations.session() as session:
        counts = ", ".join(f"count(*) FILTER ({_holds(column, telling)})" for column in columns)
        numbers = session.fetch(f"SELECT {counts} FROM {quote_path(table)}")[0]
    return {f"{table}.{column}": int(rows) for column, rows in zip(columns, numbers, strict=True) if rows}


def _holds(column: str, telling: Sequence[str]) -> str:
    """Whether a column holds one of some texts as a word; false, before anything is read, where it holds no texts."""
    text, kind = f"CAST({quote_name(column)} AS VARCHAR)", f"typeof({quote_name(column)})"
    texts = f"({kind} IN ('VARCHAR', 'JSON') OR {kind} LIKE 'STRUCT%' OR {kind} LIKE 'MAP%' OR {kind} LIKE '%[]')"
    each = " OR ".join(
        f"(contains({text}, {quote_text(one)}) AND regexp_matches({text}, "
        f"{quote_text(f'(^|[^0-9A-Za-z_]){re.escape(one)}([^0-9A-Za-z_]|$)')}))"
        for one in telling
    )
    return f"({texts} AND coalesce({each}, false))"
