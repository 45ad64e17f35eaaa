"""A profile in words: what a column holds on one line, and which pairs are worth a line. For terminals and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tidemill.analysis.profile.associations import MEASURES, RANKED_ROWS
from tidemill.analysis.profile.notices import share
from tidemill.analysis.profile.result import Association, ColumnProfile, Histogram, Profile

STRONG = 0.3
BLOCKS = "▁▂▃▄▅▆▇█"
SPARKS = 16
LEAST = 1e-300  # smaller ones are the edge of a bin beside 0
MEASURE_WORDS = {measure.name: measure.word for measure in MEASURES}


def number(value: Any) -> str:
    """A number in six digits at most."""
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    # Whole numbers and others are cut alike: a median never looks greater than its maximum.
    if isinstance(value, int) and abs(value) < 10**12:
        return _grouped(value)
    if value == int(value) and abs(value) < 1e7:
        return _grouped(int(value))
    if abs(value) < LEAST:
        return "0"
    return f"{value:,.0f}" if 1e5 <= abs(value) < 1e12 else f"{value:.5g}" if abs(value) >= 1000 else f"{value:.4g}"


def _grouped(value: int) -> str:
    """In groups of three from five digits on: years stay years."""
    return f"{value:,}" if abs(value) >= 10_000 else str(value)


def type_word(column: ColumnProfile) -> str:
    """The kind of a column as people say it, with what the engine has when that says more."""
    return {"time": "timestamp", "list": "list", "other": column.type.lower()}.get(column.kind, column.kind)


def distinct_word(column: ColumnProfile) -> str:
    """How many different values there are; ~ before an estimate."""
    if "distinct" not in column.facts:
        return "2" if len(column.facts.get("top", ())) == 2 else str(len(column.facts.get("top", ())))
    return ("~" if "distinct" in column.approximate else "") + f"{column.distinct:,}"


def missing_word(column: ColumnProfile) -> str:
    """The share of rows without a value."""
    return "-" if not column.nulls else share(column.nulls, column.rows)


def summary(column: ColumnProfile, width: int = 48) -> str:
    """What a column holds, on one line."""
    facts = column.facts
    if not column.filled:
        return "nothing"
    if column.declared:
        return f"values hidden: {column.declared}, as declared"
    if column.suspects:
        return f"values hidden: {column.suspects[0].kind}, {share(column.suspects[0].share, 1)}"
    if column.kind == "number" and "quantiles" in facts:
        words = f"{number(facts['min'])} … {number(facts['quantiles']['0.5'])} … {number(facts['max'])}"
        spark = sparkline(facts.get("histogram"))
        return f"{words:<{max(0, width - SPARKS - 1)}} {spark}"
    if column.kind in ("date", "time") and "min" in facts:
        low, high = str(facts["min"])[:10], str(facts["max"])[:10]
        unit = facts.get("granularity")
        words = f"{low} … {high}{f', by {unit}' if unit else ''}"
        return f"{words:<{max(0, width - SPARKS - 1)}} {sparkline(facts.get('histogram'))}"
    if column.kind in ("list", "map") and facts.get("items_min") is not None:
        least, most = number(facts["items_min"]), number(facts["items_max"])
        return f"{least} to {most} items, {number(facts['items_mean'])} on average"
    if column.kind == "blob" and facts.get("bytes_min") is not None:
        return f"{number(facts['bytes_min'])} to {number(facts['bytes_max'])} bytes"
    return _values(column, width)


def _values(column: ColumnProfile, width: int) -> str:
    if "top" not in column.facts:
        return ""
    patterns = column.facts.get("patterns", ())
    top = column.facts["top"]
    seen = int(column.facts.get("rows_seen", 0)) or (None if "top" in column.sampled else column.filled)
    if patterns and column.distinct > 10 and top[0].rows <= max(1, 0.01 * column.filled):
        told = ", ".join(f"{value.value}" for value in patterns[:3])
        return _cut(f"looks like {told}", width)
    parts: list[str] = []
    for value in top:
        text = _cut(str(value.value).replace("\n", " "), 24) or "''"
        part = f"{text} {share(value.rows, seen)}" if seen else text
        if parts and len(", ".join([*parts, part])) > width:
            break
        parts.append(part)
    return _cut(", ".join(parts), width)


def sparkline(histogram: Histogram | None) -> str:
    """A histogram in one line of blocks."""
    if histogram is None or not histogram.counts or sum(histogram.counts) == 0:
        return ""
    folded = _folded(_of_values(list(histogram.counts)))
    most = max(folded)
    return "".join(BLOCKS[min(7, math.ceil(7 * count / most))] if count else " " for count in folded)


def _of_values(counts: list[int]) -> list[int]:
    """The counts without the gaps that the bars alone make: a few values that stand evenly apart are no gaps."""
    filled = [at for at, count in enumerate(counts) if count]
    steps = {right - left for left, right in pairwise(filled)}
    apart = len(steps) in (1, 2) and min(steps) > 1 and max(steps) - min(steps) <= 1
    return [counts[at] for at in filled] if apart and len(filled) > 2 else counts


def _folded(counts: list[int]) -> list[float]:
    """The counts in as many blocks as there is room for: each bar is shared out among the blocks it reaches into."""
    size = min(SPARKS, len(counts))
    width = len(counts) / size
    return [
        sum(
            count * max(0.0, min(at + 1, (block + 1) * width) - max(at, block * width))
            for at, count in enumerate(counts)
        )
        for block in range(size)
    ]


def strongest(pairs: Sequence[Association], *, label: str = "", least: float = STRONG) -> list[Association]:
    """Each pair once, by its strongest measure, the strongest first; with a label only the pairs it is in."""
    best: dict[frozenset[str], Association] = {}
    for pair in pairs:
        key = frozenset((pair.left, pair.right))
        if (not label or label in key) and (key not in best or abs(pair.value) > abs(best[key].value)):
            best[key] = pair
    found = [pair for pair in best.values() if abs(pair.value) >= least]
    return sorted(found, key=lambda pair: (-round(abs(pair.value), 9), pair.left, pair.right))


def head_lines(profile: Profile) -> list[str]:
    """What there is to say of the whole table."""
    lines = []
    if profile.keys:
        told = "; ".join(" with ".join(key) for key in profile.keys[:3])
        lines.append(f"each row has its own value of {told}")
    elif profile.rows > 1:
        lines.append("no column, and no pair of likely ones, tells all rows apart")
    if profile.duplicates is None:
        lines.append("repeated rows are not counted: there are too many columns")
    elif profile.rows > 1 and not profile.keys and not profile.duplicates:  # repeated rows are a warning
        lines.append("no row repeats another")
    if profile.sample != "all rows":
        lines.append(f"~ marks an estimate; texts of many values, patterns and relations are from {profile.sample}")
    elif any(column.approximate for column in profile.columns):
        lines.append("~ marks an estimate")
    if profile.sample == "all rows" and any(pair.sampled for pair in profile.associations):
        lines.append(f"rank correlations are of {RANKED_ROWS:,} rows at most, evenly taken from all")
    return [*lines, *profile.notes]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"
