"""Which columns tell each row from all others, alone or in pairs, and how many rows repeat another one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from tidemill.analysis.profile.result import ColumnProfile
from tidemill.analysis.table import Sample, Table
from tidemill.core.names import quote_name

NEAR_UNIQUE = 0.85  # an estimate of distinct values may be off by as much
PAIRED = 8  # columns tried in pairs
MOST_PAIRS = 3  # pairs counted in all rows
MOST_COLUMNS = 1000
MOST_EXACT = 20  # columns whose distinct values are counted exactly


def find_keys(
    table: Table, sample: Sample, columns: Sequence[ColumnProfile]
) -> tuple[tuple[tuple[str, ...], ...], dict[str, int]]:
    """Columns, alone or in pairs, that are different in every row; and distinct values that were counted on the way.

    Only columns without NULL can be a key, and no fractions. What repeats in the sample is no key; what does not is
    counted in all rows.
    """
    if table.rows < 2:
        return (), {}
    able = [column for column in columns if _may_be_key(column)]
    near = [column for column in able if column.distinct >= NEAR_UNIQUE * table.rows]
    near = [column for column in near if not _repeats(table, sample, [column.name])][:MOST_EXACT]
    counts = {column.name: _distinct(table, [column.name]) for column in near}
    keys: list[tuple[str, ...]] = [(name,) for name, count in counts.items() if count == table.rows]
    if not keys:
        keys = _pairs(table, sample, able)
    return tuple(keys), counts


def count_duplicates(table: Table, *, keyed: bool) -> int | None:
    """Rows that repeat an earlier one, told by 64-bit hashes of all columns; None when there are too many columns."""
    if keyed or table.rows < 2:
        return 0
    if len(table.columns) > MOST_COLUMNS:
        return None
    hashed = table.session.row_hash([column.name for column in table.columns])
    return table.rows - int(table.first([f"count(DISTINCT {hashed})"])[0])


def _may_be_key(column: ColumnProfile) -> bool:
    if column.nulls or column.kind not in ("number", "text", "date", "time"):
        return False
    return column.type not in ("FLOAT", "DOUBLE") and column.distinct > 1


def _pairs(table: Table, sample: Sample, able: Sequence[ColumnProfile]) -> list[tuple[str, ...]]:
    likely = sorted(able, key=lambda column: -column.distinct)[:PAIRED]
    found: list[tuple[str, ...]] = []
    tried = 0
    for left, right in combinations(likely, 2):
        if left.distinct * right.distinct < table.rows or tried >= MOST_PAIRS or found:
            continue
        if not _repeats(table, sample, [left.name, right.name]):
            tried += 1
            if _distinct(table, [left.name, right.name]) == table.rows:
                found.append((left.name, right.name))
    return found


def _repeats(table: Table, sample: Sample, names: Sequence[str]) -> bool:
    return _distinct(table, names, sample.relation) < sample.rows


def _distinct(table: Table, names: Sequence[str], relation: str = "") -> int:
    listed = ", ".join(map(quote_name, names))
    one = listed if len(names) == 1 else f"({listed})"
    return int(table.first([f"count(DISTINCT {one})"], relation)[0])
