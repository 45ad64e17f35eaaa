"""The rules of a table's options: freshness, rows against the versions before, drift, outliers, classes, columns.

One function a family; `FAMILIES` is the table of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tidemill.contracts.drift import drift_results
from tidemill.contracts.result import CheckResult
from tidemill.contracts.rules import NUMBERS, TIMES, find_named, shown_name
from tidemill.contracts.sample import sample_rows
from tidemill.core.durations import read_duration, show_duration
from tidemill.core.errors import BindError
from tidemill.core.names import name_key, quote_name
from tidemill.sql.contract import Contract
from tidemill.warehouse.protocol import Session, Staged

FENCES = 3.0  # Tukey, Exploratory Data Analysis (1977), section 2D: values beyond are "far out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a table is compared with.

    Parameters
    ----------
    now
        The run's time.
    row_counts
        Rows of the versions before, newest first.
    before
        The rows of the version before; None when there is none.
    """

    now: datetime
    row_counts: Sequence[int] = ()
    before: Staged | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a family of rules is given."""

    session: Session
    staged: Staged
    contract: Contract
    past: Past
    keys: Sequence[str]

    @property
    def rules(self) -> Mapping[str, Any]:
        """The options by lower-case name."""
        return self.contract.rules


def check_rules(
    session: Session, staged: Staged, contract: Contract, *, past: Past, keys: Sequence[str] = ()
) -> list[CheckResult]:
    """Check the rules that a table's options state.

    Raises
    ------
    BindError
        A rule names a column the rows do not have, or one of another kind than it needs.
    """
    asked = Asked(session=session, staged=staged, contract=contract, past=past, keys=keys)
    lenient = {name.upper() for name in contract.rules.get("not_enforced") or ()}
    results: list[CheckResult] = []
    for family, (option, check) in FAMILIES.items():
        if not any(contract.rules.get(name) for name in option):
            continue
        started = time.perf_counter()
        found = list(check(asked))
        line, column = next((contract.places[name] for name in option if name in contract.places), (0, 0))
        share = (time.perf_counter() - started) / max(1, len(found))
        results += [
            replace(result, enforced=family not in lenient, seconds=share, line=line, column=column) for result in found
        ]
    return results


def whole(kind: str, check: str, *, held: bool, rows: int, observed: Mapping[str, Any]) -> CheckResult:
    """The result of a rule about the table as a whole."""
    return CheckResult(
        check=check,
        kind=kind,
        enforced=True,
        rows_seen=rows,
        rows_failing=0 if held else 1,
        whole=True,
        observed=dict(observed),
    )


def _freshness(asked: Asked) -> Iterator[CheckResult]:
    column = find_named(asked.rules["freshness_column"], asked.staged.columns, asked.staged.table)
    if not TIMES.fullmatch(column.type):
        raise BindError(
            f"FRESHNESS_COLUMN {column.name} is of type {column.type}, which is no date or time",
            hint="cast it in the query: CAST(... AS TIMESTAMP)",
        )
    limit = read_duration(asked.rules["max_age"]) or timedelta(0)
    rows, micros = asked.session.fetch(
        f"SELECT count(*), epoch_us(max({quote_name(column.name)})::TIMESTAMP) FROM {asked.staged.relation}"
    )[0]
    check = f"FRESHNESS ({shown_name(column.name)} is at most {asked.rules['max_age']} old)"
    observed: dict[str, Any] = {"newest": None}
    age = None
    if micros is not None:
        newest = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
        age = asked.past.now - newest
        observed = {"newest": newest.replace(tzinfo=None).isoformat(" ", "seconds"), "age": show_duration(age)}
    yield whole("freshness", check, held=age is not None and age <= limit, rows=rows, observed=observed)


def _row_count(asked: Asked) -> Iterator[CheckResult]:
    history = list(asked.past.row_counts[: asked.rules["row_count_history"]])
    before = statistics.median(history) if history else None
    rows = asked.staged.rows
    ratio = rows / before if before else None
    observed = {"rows": rows, "rows before": before, "ratio": ratio}
    for name, words, sign in (("min_row_count_ratio", "at least", 1), ("max_row_count_ratio", "at most", -1)):
        limit = asked.rules.get(name)
        if limit is not None:
            held = ratio is None or sign * ratio >= sign * limit
            check = f"ROW_COUNT ({words} {limit:g} times the rows before)"
            yield whole("row_count", check, held=held, rows=rows, observed=observed)


def _drift(asked: Asked) -> Iterator[CheckResult]:
    return drift_results(asked.session, asked.staged, asked.past.before, asked.rules)


def _outliers(asked: Asked) -> Iterator[CheckResult]:
    listed = asked.rules.get("outlier_columns")
    columns = (
        [find_named(name, asked.staged.columns, asked.staged.table) for name in listed]
        if listed
        else [column for column in asked.staged.columns if NUMBERS.fullmatch(column.type)]
    )
    for column in columns:
        if not NUMBERS.fullmatch(column.type):
            raise BindError(f"OUTLIER_COLUMNS names {column.name} of type {column.type}, which is no number")
    if not columns or not asked.staged.rows:
        return
    limit = asked.rules["max_outlier_share"]
    quartiles = ", ".join(
        f"approx_quantile({finite(column.name)}, [0.25, 0.75]) AS q{i}" for i, column in enumerate(columns)
    )
    (found,) = asked.session.fetch(f"SELECT {quartiles} FROM {asked.staged.relation}")
    fences = {}
    for column, pair in zip(columns, found, strict=True):
        if pair is None or (pair[0] == pair[1] and not listed):
            continue  # no values, or half of them are one: fences around it would call all others outliers
        reach = FENCES * (pair[1] - pair[0])
        fences[column.name] = (float(pair[0]) - float(reach), float(pair[1]) + float(reach))
    tests = {name: f"NOT ({quote_name(name)} BETWEEN {low!r} AND {high!r})" for name, (low, high) in fences.items()}
    if not tests:
        return
    counts = ", ".join(f"count(*) FILTER (WHERE {test})" for test in tests.values())
    (outside,) = asked.session.fetch(f"SELECT {counts} FROM {asked.staged.relation}")
    for (name, (low, high)), count in zip(fences.items(), outside, strict=True):
        share = count / asked.staged.rows
        failed = share > limit
        shown = sample_rows(asked.session, asked.staged, tests[name], about=(name,), keys=asked.keys) if failed else ()
        yield CheckResult(
            check=f"OUTLIERS ({shown_name(name)} at most {limit:.3g} of the rows)",
            kind="outliers",
            enforced=True,
            rows_seen=asked.staged.rows,
            rows_failing=count if failed else 0,
            sample=tuple(row for row, _ in shown),
            sample_keys=tuple(key for _, key in shown if key),
            observed={"share": share, "low": low, "high": high},
        )


def _class_share(asked: Asked) -> Iterator[CheckResult]:
    column = find_named(asked.rules["class_column"], asked.staged.columns, asked.staged.table)
    limit, quoted = asked.rules["min_class_share"], quote_name(column.name)
    grouped = f"SELECT {quoted} AS c, count(*) AS n FROM {asked.staged.relation} WHERE {quoted} IS NOT NULL GROUP BY 1"
    ((classes, rarest, count, total),) = asked.session.fetch(
        f"SELECT count(*), arg_min(c::VARCHAR, n), min(n), sum(n) FROM ({grouped})"
    )
    share = count / total if total else 0.0
    yield whole(
        "class_share",
        f"CLASS_SHARE ({shown_name(column.name)}: each class at least {limit:.3g} of the rows)",
        held=classes >= 2 and share >= limit,
        rows=asked.staged.rows,
        observed={"classes": classes, "rarest": rarest, "share": share},
    )


def _columns(asked: Asked) -> Iterator[CheckResult]:
    declared, found = asked.contract.columns, [column.name for column in asked.staged.columns]
    wanted, there = [name_key(name) for name in declared], [name_key(name) for name in found]
    observed: dict[str, Any] = {
        "missing": [name for name in declared if name_key(name) not in there],
        "not declared": [name for name in found if name_key(name) not in wanted],
    }
    observed = {name: ", ".join(value) for name, value in observed.items() if value}
    if not observed and wanted != there:
        observed = {"order": ", ".join(found)}
    yield whole(
        "columns", "COLUMNS (exactly those declared)", held=wanted == there, rows=asked.staged.rows, observed=observed
    )


def finite(name: str) -> str:
    """A column as numbers, NULL where it is none: NaN and infinities have no place among quantiles."""
    value = f"{quote_name(name)}::DOUBLE"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


Check = Callable[[Asked], Iterator[CheckResult]]

FAMILIES: Mapping[str, tuple[tuple[str, ...], Check]] = {
    "COLUMNS": (("exact_columns",), _columns),
    "FRESHNESS": (("max_age",), _freshness),
    "ROW_COUNT": (("min_row_count_ratio", "max_row_count_ratio"), _row_count),
    "DRIFT": (("max_drift",), _drift),
    "OUTLIERS": (("max_outlier_share",), _outliers),
    "CLASS_SHARE": (("min_class_share",), _class_share),
}
"""By the name in NOT_ENFORCED: the options that ask for it, and the function that checks it."""
