"""The rows of a query, for people and for programs: Arrow underneath, a readable table on top."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import SettingsError
from tidemill.core.rows import Rows

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tidemill.warehouse.protocol import Session

SHOWN_ROWS = 20


class Result:
    """Rows that are read when they are asked for.

    Hand it to anything that takes Arrow (``pyarrow.table(result)``, ``polars.DataFrame(result)``), or use the methods.

    Attributes
    ----------
    asked_for
        Whether a query asked for these rows; else they are what a statement without rows of its own answers.
    """

    def __init__(self, rows: Rows, session: Session | None = None, *, asked_for: bool = True) -> None:
        self.asked_for = asked_for
        self._rows = rows
        self._session = session  # kept open as long as somebody may read

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return self._rows.schema

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return list(self._rows.schema.names)

    @property
    def rows(self) -> Rows:
        """The stream itself, for results that do not fit in memory."""
        return self._rows

    @cached_property
    def _table(self) -> pa.Table:
        return self._rows.read()

    def to_arrow(self) -> pa.Table:
        """All rows, as a pyarrow table."""
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """All rows, as a pandas data frame."""
        try:
            import pandas as pd  # noqa: F401 - pyarrow imports it, and says less when it is not there
        except ModuleNotFoundError:
            raise _not_installed("to_pandas", "pandas") from None
        return self._table.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """All rows, as a polars data frame."""
        try:
            import polars as pl
        except ModuleNotFoundError:
            raise _not_installed("to_polars", "polars") from None
        return pl.DataFrame(self._table)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows, as tuples of Python values."""
        # By position, not by name: a result may have two columns of one name.
        columns = [column.to_pylist() for column in self._table.columns]
        return list(zip(*columns, strict=True)) if columns else []

    def head(self, count: int = SHOWN_ROWS) -> tuple[list[tuple[Any, ...]], bool]:
        """The first rows, and whether there are more."""
        found: list[tuple[Any, ...]] = []
        batches = iter(self._table.to_batches()) if "_table" in self.__dict__ else self._rows.batches()
        for batch in batches:
            columns = [column.to_pylist() for column in batch.slice(0, count + 1 - len(found)).columns]
            found += list(zip(*columns, strict=True))
            if len(found) > count:
                return found[:count], True
        return found, False

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        rows, more = self.head()
        return text_table(self.columns, rows) + ("\n..." if more else "")

    def _repr_html_(self) -> str:
        rows, more = self.head()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(show(value))}</td>" for value in row) + "</tr>" for row in rows
        )
        tail = f"<p>first {len(rows)} rows</p>" if more else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{tail}"


def _not_installed(method: str, package: str) -> SettingsError:
    return SettingsError(
        f"{method}() needs the package {package}, which is not installed here",
        hint=f"pip install {package}, or use to_arrow(), fetchall()",
    )


def show(value: object) -> str:
    """One value as a person reads it: NULL for nothing, true and false, six significant digits."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return str(value)


def text_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, widest: int = 48) -> str:
    """Rows as aligned text, numbers to the right; long values are cut."""
    cells = [[cut(show(value), widest) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    numeric = [
        bool(rows)
        and all(
            row[i] in (None, "") or (isinstance(row[i], int | float) and not isinstance(row[i], bool)) for row in rows
        )
        for i in range(len(columns))
    ]

    def line(values: Sequence[str]) -> str:
        padded = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(list(columns)), rule, *(line(row) for row in islice(cells, None))])


def cut(text: str, widest: int) -> str:
    """A text on one line, of so many characters at most; 0 cuts nothing."""
    text = text.replace("\n", "\\n")
    return text if not widest or len(text) <= widest else text[: widest - 1] + "…"
