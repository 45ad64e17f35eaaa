"""The texts that name people, where nobody says them: a backup was put back, or the process that was told died.

They are known by their digests, and stand where there is still something to take out: in tables, in texts of the
control database, in files of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidemill.core.names import name_key, quote_name, quote_path
from tidemill.governance.conditions import Meant
from tidemill.governance.texts import Known
from tidemill.serving.log.tables import LABELS_TABLE, PREDICTIONS_TABLE
from tidemill.warehouse.control.free_texts import each_text

if TYPE_CHECKING:
    from pathlib import Path

    from tidemill.runner.stations import Stations


def names_of(stations: Stations, meant: Meant) -> list[str]:
    """Every text that is one of those that are meant."""
    known = Known(meant.marks, meant.salt)
    found = dict.fromkeys(_in_tables(stations, meant))
    for text in (*each_text(stations.db), *_json_files(stations.store.root)):
        found |= dict.fromkeys(sorted(known.found_in(text)))
    return list(found)


def _in_tables(stations: Stations, meant: Meant) -> Iterator[str]:
    with stations.session() as session:
        for table in stations.warehouse.tables():
            if table in (PREDICTIONS_TABLE, LABELS_TABLE):
                continue
            columns = {name_key(column.name): column.name for column in stations.warehouse.columns(table)}
            for mark in (mark for mark in meant.marks if mark.column in columns):
                name = columns[mark.column]
                text = f"CAST({quote_name(name)} AS VARCHAR)"
                sql = f"SELECT DISTINCT {text} FROM {quote_path(table)} WHERE {meant.of_column(mark, name)}"
                yield from (str(row[0]) for row in session.fetch(sql))


def _json_files(folder: Path) -> Iterator[str]:
    """Files of models that are JSON: what stands in the others, such as the categories of a column, does there too."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (data := path.read_bytes())[:1] in (b"[", b"{"):
            yield data.decode(errors="replace")
