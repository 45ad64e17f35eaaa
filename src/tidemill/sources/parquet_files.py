"""Parquet files as one relation: those of a pattern must have the same columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import name_key
from tidemill.sources.files import rows
from tidemill.sources.patterns import quote_file

if TYPE_CHECKING:
    from tidemill.sources.bad_rows import BadRow
    from tidemill.sources.files import Reader


class ParquetRead:
    """Parquet files that are read as one relation. Their types are their own; a damaged file is refused whole.

    Raises
    ------
    SourceError
        Two files have other columns: the engine would leave out those that the first file lacks.
    """

    notes: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    bad_count = 0

    def __init__(self, paths: Sequence[tuple[Path, str]], reader: Reader) -> None:
        self._places = ", ".join(quote_file(path) for path, _ in paths)
        if len(paths) > 1:
            self._require_same_columns(paths, reader)

    def sql(self) -> str:
        """The relation, as a query."""
        return f"SELECT * FROM read_parquet([{self._places}])"

    def may_mend(self, error: TidemillError) -> bool:
        """Never: nothing of a Parquet file is guessed."""
        del error
        return False

    def look_closer(self) -> None:
        """Nothing is left to look at."""

    def _require_same_columns(self, paths: Sequence[tuple[Path, str]], reader: Reader) -> None:
        shown = {str(path): name for path, name in paths}
        # The first element of a schema is its root; columns are the children of the root.
        found = rows(
            reader,
            "SELECT file_name, list(path_in_schema[1] ORDER BY column_id) FROM"
            " (SELECT file_name, column_id, string_split(path_in_schema, ', ') AS path_in_schema"
            f" FROM parquet_metadata([{self._places}]) WHERE row_group_id = 0) GROUP BY ALL",
        )
        columns = {str(file): list(dict.fromkeys(str(name) for name in names)) for file, names in found}
        first = columns.get(str(paths[0][0]), [])
        keys = {name_key(name) for name in first}
        for path, name in paths[1:]:
            here = columns.get(str(path))
            if here is None or {name_key(one) for one in here} == keys:
                continue
            lacking = [one for one in first if name_key(one) not in {name_key(other) for other in here}]
            extra = [one for one in here if name_key(one) not in keys]
            parts = [f"has no {', '.join(lacking)}"] if lacking else []
            parts += [f"has {', '.join(extra)} besides"] if extra else []
            raise SourceError(
                f"{name} {' and '.join(parts)}, compared with {shown[str(paths[0][0])]}",
                hint="read them apart, or put them together by name, with NULL for what is lacking:"
                " FROM read_parquet('PATTERN', union_by_name = true)",
                file=name,
            )
