"""Which versions of models were trained on rows: those whose snapshot reads a file that has them."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.core.names import asset_key
from tidemill.registry.lineage import read_lineage
from tidemill.warehouse.control import models
from tidemill.warehouse.control.database import Database, Tx
from tidemill.warehouse.upkeep import Holding


def trained_on(db: Database | Tx, held: Sequence[Holding]) -> dict[tuple[str, int], set[str]]:
    """Versions by model and number, with the tables from which they read one of the rows.

    Of a version that read a table derived from theirs it is said where the derived one has such rows itself; a sum that
    they were part of has none.
    """
    found: dict[tuple[str, int], set[str]] = {}
    if not held:
        return found
    for one in models.list_versions(db):
        lineage = read_lineage(one.lineage)
        if lineage.snapshot is None:
            continue
        read = set(map(asset_key, lineage.tables))
        tables = {part.table for part in held if asset_key(part.table) in read and part.shows_at(lineage.snapshot)}
        if tables:
            found[(one.name, one.version)] = tables
    return found
