"""How far columns moved from their distributions in the version before.

A column fails when its distance is above the limit *and* is more than chance makes of samples of these sizes: with
nothing wrong, PSI is about (1/n + 1/m) times a chi-squared value with as many degrees of freedom as bins less one, so
that on 100 rows it is above the textbooks' 0.1 almost every second time.

References
----------
.. [1] B. Yurdakul, J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
   Validation 14 (4), 2020, doi:10.21314/JRMV.2020.227.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidemill.contracts.result import CheckResult
from tidemill.contracts.rules import NUMBERS, TIMES, WORDS, find_named, shown_name
from tidemill.core.chance import homogeneity_chance
from tidemill.core.divergences import COUNT_MEASURES
from tidemill.core.names import name_key, quote_name
from tidemill.warehouse.protocol import Column, Session, Staged

BINS = 10
MOST_VALUES = 50
MOST_DISTINCT = 0.5  # a column with more distinct values than this share of the rows is taken for a key
CHANCE = 0.001  # how often one check of all columns together may fail with nothing wrong


def drift_results(
    session: Session, staged: Staged, before: Staged | None, rules: Mapping[str, Any]
) -> Iterator[CheckResult]:
    """One result a column; none when there is no version before, or no row in one of the two.

    Raises
    ------
    BindError
        DRIFT_COLUMNS names a column the rows do not have.
    """
    columns = _columns(session, staged, before, rules.get("drift_columns"))
    if before is None or not before.rows or not staged.rows:
        return
    measure, limit = rules["drift_measure"], rules["max_drift"]
    pairs = _binned(session, before, staged, [column for column in columns if not _is_words(column)])
    pairs |= {column.name: _counted(session, before, staged, column) for column in columns if _is_words(column)}
    for column in columns:
        old, new = pairs[column.name]
        value = COUNT_MEASURES[measure](old, new)
        failed = value > limit and homogeneity_chance(old, new) < CHANCE / len(columns)
        yield CheckResult(
            check=f"DRIFT ({shown_name(column.name)} by {measure} at most {limit:.3g})",
            kind="drift",
            enforced=True,
            rows_seen=staged.rows,
            rows_failing=1 if failed else 0,
            whole=True,
            observed={measure.lower(): value, "rows": staged.rows, "rows before": before.rows},
        )


def _columns(session: Session, staged: Staged, before: Staged | None, listed: Sequence[str] | None) -> list[Column]:
    """The columns to compare. Times move on by themselves and keys are new by themselves: those must be named."""
    if listed:
        found = [find_named(name, staged.columns, staged.table) for name in listed]
    else:
        found = [column for column in staged.columns if NUMBERS.fullmatch(column.type) or _is_words(column)]
    if before is None:
        return []
    known = {name_key(column.name): column.type for column in before.columns}
    found = [column for column in found if known.get(name_key(column.name)) == column.type]
    if listed or not found:
        return found
    distinct = ", ".join(f"approx_count_distinct({quote_name(column.name)})" for column in found)
    (counts,) = session.fetch(f"SELECT {distinct} FROM {before.relation}")
    return [
        column
        for column, count in zip(found, counts, strict=True)
        if count <= before.rows * MOST_DISTINCT or column.type in {"DOUBLE", "FLOAT"}
    ]


def _is_words(column: Column) -> bool:
    return WORDS.fullmatch(column.type) is not None


def _number(column: Column) -> str:
    quoted = quote_name(column.name)
    return f"epoch({quoted})" if TIMES.fullmatch(column.type) else f"{quoted}::DOUBLE"


def _binned(
    session: Session, before: Staged, staged: Staged, columns: Sequence[Column]
) -> dict[str, tuple[list[int], list[int]]]:
    """Rows by the deciles of the version before, and the NULLs."""
    if not columns:
        return {}
    levels = [level / BINS for level in range(1, BINS)]
    asked = ", ".join(
        f"approx_quantile(CASE WHEN isfinite({_number(column)}) THEN {_number(column)} END, {levels}) AS q{number}"
        for number, column in enumerate(columns)
    )
    (found,) = session.fetch(f"SELECT {asked} FROM {before.relation}")
    edges = [sorted(set(quantiles or ())) for quantiles in found]
    tests: list[str] = []
    for column, steps in zip(columns, edges, strict=True):
        tests += [f"count(*) FILTER (WHERE {_number(column)} <= {edge!r})" for edge in steps]
        tests.append(f"count({quote_name(column.name)})")
    sides = [session.fetch(f"SELECT {', '.join(tests)} FROM {side.relation}")[0] for side in (before, staged)]
    totals = (before.rows, staged.rows)
    pairs: dict[str, tuple[list[int], list[int]]] = {}
    taken = 0
    for column, steps in zip(columns, edges, strict=True):
        width = len(steps) + 1
        old, new = (
            _differences([*side[taken : taken + width], total]) for side, total in zip(sides, totals, strict=True)
        )
        pairs[column.name] = (old, new)
        taken += width
    return pairs


def _differences(cumulative: Sequence[int]) -> list[int]:
    return [high - low for low, high in zip([0, *cumulative], cumulative, strict=False)]


def _counted(session: Session, before: Staged, staged: Staged, column: Column) -> tuple[list[int], list[int]]:
    """Rows by value: the most frequent of both versions together, and the rest."""
    value = quote_name(column.name)
    grouped = "SELECT {0} AS v, count(*) AS n FROM {1} GROUP BY 1"
    rows = session.fetch(
        f"SELECT coalesce(o.n, 0), coalesce(w.n, 0) FROM ({grouped.format(value, before.relation)}) AS o"
        f" FULL JOIN ({grouped.format(value, staged.relation)}) AS w ON o.v IS NOT DISTINCT FROM w.v"
        f" ORDER BY coalesce(o.n, 0) / {before.rows} + coalesce(w.n, 0) / {staged.rows} DESC LIMIT {MOST_VALUES}"
    )
    old, new = [row[0] for row in rows], [row[1] for row in rows]
    return [*old, before.rows - sum(old)], [*new, staged.rows - sum(new)]
