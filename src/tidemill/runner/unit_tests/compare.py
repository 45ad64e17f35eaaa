"""Rows that came out, held against those that were expected; the order of rows does not matter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""How far apart two numbers may be when one of them is a float."""
_MOST_PAIRS = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between two sets of rows.

    Parameters
    ----------
    what
        The table, or the WITH clause.
    matching
        How many rows are as expected.
    changed
        Pairs of an expected row and the one that came instead of it.
    """

    what: str
    columns: tuple[str, ...]
    matching: int = 0
    missing: tuple[Row, ...] = ()
    unexpected: tuple[Row, ...] = ()
    changed: tuple[tuple[Row, Row], ...] = ()

    @property
    def none(self) -> bool:
        """Whether the rows are the same."""
        return not (self.missing or self.unexpected or self.changed)


def compare(what: str, columns: Sequence[str], expected: Sequence[Row], found: Sequence[Row]) -> Difference:
    """Take equal rows away, then pair what is left with what is most like it."""
    missing, unexpected = _without_equals(list(expected), list(found))
    if len(missing) * len(unexpected) > _MOST_PAIRS:  # nobody reads that many pairs
        pairs: list[tuple[Row, Row]] = []
    else:
        pairs, missing, unexpected = _paired(missing, unexpected)
    changed = [pair for pair in pairs if not all(map(same, *pair))]
    return Difference(
        what=what,
        columns=tuple(columns),
        matching=len(expected) - len(missing) - len(changed),
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        changed=tuple(changed),
    )


def same(expected: Any, found: Any) -> bool:
    """Whether two values are the same: NULL is itself, NaN too, floats may differ in their last digits."""
    if expected is None or found is None:
        return expected is found
    if isinstance(expected, bool) != isinstance(found, bool):
        return False
    if isinstance(expected, float) or isinstance(found, float):
        return _close(expected, found)
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return len(expected) == len(found) and all(map(same, expected, found))
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(same(expected[key], found[key]) for key in expected)
    return bool(expected == found)


def _close(expected: Any, found: Any) -> bool:
    if not all(isinstance(value, float | int | Decimal) for value in (expected, found)):
        return False
    left, right = float(expected), float(found)
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _without_equals(expected: list[Row], found: list[Row]) -> tuple[list[Row], list[Row]]:
    """Both without the rows that are equal to the letter."""
    left = Counter(map(_key, found))
    missing = []
    for row in expected:
        key = _key(row)
        if left[key]:
            left[key] -= 1
        else:
            missing.append(row)
    unexpected = []
    for row in reversed(found):  # those that are too many are the last ones
        key = _key(row)
        if left[key]:
            left[key] -= 1
            unexpected.append(row)
    return missing, unexpected[::-1]


def _key(row: Row) -> str:
    return repr(tuple(_plain(value) for value in row))


def _plain(value: Any) -> Any:
    """Numbers of one value as one text: 1, 1.0 and Decimal('1.00')."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal) and math.isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _paired(missing: list[Row], unexpected: list[Row]) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """Pairs of rows of which at least one value, and the half, is the same; the most alike first."""
    alike = sorted(
        (-sum(map(same, left, right)), i, j) for i, left in enumerate(missing) for j, right in enumerate(unexpected)
    )
    lefts: set[int] = set()
    rights: set[int] = set()
    pairs = []
    for negative, i, j in alike:
        if -negative * 2 >= len(missing[i]) and negative and i not in lefts and j not in rights:
            lefts.add(i)
            rights.add(j)
            pairs.append((i, j))
    return (
        [(missing[i], unexpected[j]) for i, j in sorted(pairs)],
        [row for i, row in enumerate(missing) if i not in lefts],
        [row for j, row in enumerate(unexpected) if j not in rights],
    )
