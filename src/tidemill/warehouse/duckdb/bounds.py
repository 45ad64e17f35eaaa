"""The least and the greatest text of a table where nobody knows them.

DuckDB writes no bounds of a column where a long text is not ASCII. DuckLake takes a table's unknown bounds for those of
a table without rows: when rows come, theirs stand for all, and queries pass over every file that has other texts
(DuckLake 1.5; github.com/duckdb/ducklake knows unknown bounds since). So they become the widest there are before.
"""

from __future__ import annotations

from contextlib import closing

from tidemill.core.names import quote_text
from tidemill.warehouse.duckdb.commits import read_catalogue
from tidemill.warehouse.duckdb.engine import WRITER, Engine

WIDEST = ("", chr(0x10FFFF) * 8)
"""Every text lies between them."""

_UNKNOWN = """
SELECT s.table_id, s.column_id FROM ducklake_table_column_stats AS s
JOIN ducklake_table AS t ON t.table_id = s.table_id AND t.end_snapshot IS NULL
JOIN ducklake_column AS c ON c.table_id = s.table_id AND c.column_id = s.column_id AND c.end_snapshot IS NULL
WHERE s.min_value IS NULL AND s.max_value IS NULL AND c.column_type IN ('varchar', 'json')
"""


def widen_unknown(engine: Engine) -> None:
    """Let no table have unknown bounds of texts (the caller holds the writer's lock)."""
    unknown = read_catalogue(engine, _UNKNOWN)
    if not unknown:
        return
    name, (low, high) = "tidemill_bounds", map(quote_text, WIDEST)
    which = ", ".join(f"({int(table)}, {int(column)})" for table, column in unknown)
    engine.attach_sqlite(name)
    try:
        with closing(engine.clerk()) as cursor:
            cursor.execute(
                f"UPDATE {name}.ducklake_table_column_stats SET min_value = {low}, max_value = {high} "
                f"WHERE (table_id, column_id) IN ({which})"
            )
    finally:
        engine.detach(name)
        engine.detach(WRITER)  # it may know the bounds as they were
