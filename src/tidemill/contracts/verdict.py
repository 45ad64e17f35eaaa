"""What follows from the checks: warnings, or an error that shows each failure at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidemill.contracts.result import CheckResult
from tidemill.contracts.rules import shown_name
from tidemill.core.errors import ContractError, Where
from tidemill.core.names import quote_text

MOST_COLUMNS = 3
OLD_VERSION_STAYS = "the old version stays"
CONSTRAINTS = ("not_null", "primary_key", "unique", "references", "check")


def require(
    table: str,
    results: Sequence[CheckResult],
    where: Callable[[CheckResult], Where | None],
    *,
    outcome: str = OLD_VERSION_STAYS,
    hint: str = "",
) -> tuple[str, ...]:
    """Raise when an enforced check fails; return the unenforced failures as warnings.

    Parameters
    ----------
    where
        Says where a check stands in the user's text.
    outcome
        What became of the rows, in words.

    Raises
    ------
    ContractError
        An enforced check fails; the message counts the rows and shows some of them.
    """
    failed = [result for result in results if not result.passed]
    broken = [result for result in failed if result.enforced]
    if not broken:
        return tuple(sentence(result) for result in failed)
    ending = f"; {outcome}" if outcome else ""
    first, *others = [(sentence(result), where(result)) for result in broken]
    message = f"{table}: {first[0]}{ending}"
    if others:
        message = f"{table}: {len(broken)} of {len(results)} checks fail{ending}"
    raise ContractError(
        message,
        where=first[1],
        hint=hint or _hint(broken),
        failures=[first, *others] if others else (),
        checks=[_as_json(result) for result in broken],
    )


def _hint(broken: Sequence[CheckResult]) -> str:
    """What to do: to mend the rows, or to be warned only, as each kind of check says it."""
    ways = []
    if any(result.kind in CONSTRAINTS for result in broken):
        ways.append("say NOT ENFORCED after the constraint")
    rules = dict.fromkeys(result.kind for result in broken if result.kind not in CONSTRAINTS)
    if rules:
        ways.append(f"add {', '.join(map(quote_text, rules))} to the option NOT_ENFORCED")
    return f"mend the rows in the query; to be warned only, {' and '.join(ways)}"


def sentence(result: CheckResult) -> str:
    """A failure in words: which check, how many of how many rows, and some of them."""
    if result.whole:
        measured = result.observed.items()
        found = ", ".join(f"{name} is {value if isinstance(value, str) else show(value)}" for name, value in measured)
        return f"{result.check} does not hold" + (f": {found}" if found else f" for {result.rows_seen:,} rows")
    shown = f", such as {_rows(result)}" if result.sample else ""
    return f"{result.check} fails for {result.rows_failing:,} of {result.rows_seen:,} rows{shown}"


def _rows(result: CheckResult) -> str:
    """Rows by their keys; where they have none, the first of them by what the check is about."""
    first = list(result.sample[0].items())[:MOST_COLUMNS]
    if not result.sample_keys:
        return f"({_pairs(first)}, ...)" if len(result.sample[0]) > MOST_COLUMNS else f"({_pairs(first)})"
    names = list(result.sample_keys[0])
    if len(names) == 1:
        listed = ", ".join(dict.fromkeys(show(key[names[0]]) for key in result.sample_keys))
        keys = f"{shown_name(names[0])} = {listed}"
    else:
        keys = ", ".join(dict.fromkeys(f"({_pairs(key.items())})" for key in result.sample_keys))
    more = ", ..." if result.rows_failing > len(result.sample) else ""
    rest = [(name, value) for name, value in first[:1] if name not in names]
    return keys + more + (f" (the first has {_pairs(rest)})" if rest else "")


def _pairs(items: Any) -> str:
    return ", ".join(f"{shown_name(name)} = {show(value)}" for name, value in items)


def show(value: Any) -> str:
    """A value as a message has it, cut short."""
    if value is None:
        return "NULL"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _as_json(result: CheckResult) -> dict[str, Any]:
    return {
        "check": result.check,
        "line": result.line,
        "column": result.column,
        "kind": result.kind,
        "rows_seen": result.rows_seen,
        "rows_failing": result.rows_failing,
        "sample_keys": list(result.sample_keys),
        "sample": list(result.sample),
        "observed": result.observed,
    }
