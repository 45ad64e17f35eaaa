"""Some of the rows that fail a check, each with its key."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tidemill.core.names import name_key, quote_name
from tidemill.warehouse.protocol import Session, Staged

SAMPLE_ROWS = 5

Shown = Sequence[tuple[dict[str, Any], dict[str, Any]]]
"""Rows, each with its key (empty where the table has none)."""


def source(staged: Staged) -> str:
    """The rows, under the table's own name: a condition may say ``orders.amount``."""
    return f"{staged.relation} AS {quote_name(staged.table.rsplit('.', 1)[-1])}"


def sample_rows(session: Session, staged: Staged, fails: str, *, about: Sequence[str], keys: Sequence[str]) -> Shown:
    """Some rows for which a condition is true."""
    return sample_of(session, f"SELECT * FROM {source(staged)} WHERE {fails}", about=about, keys=keys)


def sample_of(session: Session, failing: str, *, about: Sequence[str], keys: Sequence[str]) -> Shown:
    """Some rows of a query, with what the check is about first: a message shows only the beginning of a row."""
    rows = session.query(f"SELECT * FROM ({failing}) LIMIT {SAMPLE_ROWS}").read_all()
    first = {name_key(name) for name in about}
    identity = {name_key(name) for name in keys}
    names = sorted(rows.column_names, key=lambda name: name_key(name) not in first)
    return [
        (
            {name: plain_value(row[name]) for name in names},
            {name: plain_value(row[name]) for name in rows.column_names if name_key(name) in identity},
        )
        for row in rows.to_pylist()
    ]


def plain_value(value: object) -> Any:
    """A value that JSON can hold, for the record; what is not a number (NaN, infinities) is told in words."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if isinstance(value, Decimal):
        number = int(value) if value == value.to_integral_value() else float(value)
        return number if Decimal(str(number)) == value else str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
