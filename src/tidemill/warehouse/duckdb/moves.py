"""A project that was moved: DuckLake keeps the lake's folder, and paths of oddly named tables, as absolute paths."""

from __future__ import annotations

from tidemill.core.names import quote_text
from tidemill.warehouse.duckdb.commits import read_catalogue
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.verify import FILES


def moved_from(engine: Engine) -> str | None:
    """The data folder that the catalogue names, when it is not where the lake is now."""
    if not engine.places.catalogue.exists():
        return None
    rows = read_catalogue(engine, "SELECT value FROM ducklake_metadata WHERE key = 'data_path'")
    recorded = str(rows[0][0]) if rows else ""
    return recorded if recorded and recorded != f"{engine.places.data}/" else None


def settle(engine: Engine, old: str) -> None:
    """Write the lake's new place into its catalogue (the caller holds the writer's lock)."""
    name, new = "tidemill_moved", f"{engine.places.data}/"
    engine.attach_sqlite(name)
    cursor = engine.clerk()
    try:
        cursor.execute("BEGIN TRANSACTION")
        for files in (*FILES, "ducklake_files_scheduled_for_deletion"):
            cursor.execute(
                f"UPDATE {name}.{files} SET path = {quote_text(new)} || substr(path, {len(old) + 1}) "
                f"WHERE path_is_relative = 0 AND starts_with(path, {quote_text(old)})"
            )
        cursor.execute(f"UPDATE {name}.ducklake_metadata SET value = {quote_text(new)} WHERE key = 'data_path'")
        cursor.execute("COMMIT")
    finally:
        cursor.close()
        engine.detach(name)
