"""The checks of a table, on rows that nobody sees yet or on those that everybody does.

A CHECK fails where it is false; NULL passes, as in standard SQL. NaN is a number greater than all others, as the
engine orders it: ``x < 10`` fails for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from tidemill.contracts.passes import Count, count_failing, failing_rows
from tidemill.contracts.result import CheckResult
from tidemill.contracts.rules import Relations, Rule, compile_rule, key_columns
from tidemill.contracts.sample import Shown, plain_value, sample_of, source
from tidemill.contracts.table_rules import Past, check_rules
from tidemill.core.columns import HIDDEN, hide
from tidemill.core.names import name_key, quote_path
from tidemill.sql.contract import Contract
from tidemill.sql.statements import Constraint
from tidemill.warehouse.protocol import Session, Staged


def audit(
    session: Session,
    staged: Staged,
    constraints: Sequence[Constraint],
    *,
    dialect: str,
    engine: str,
    file: str,
    relations: Relations = quote_path,
) -> list[CheckResult]:
    """Check every constraint on some rows; the results stand in the order of the constraints.

    Parameters
    ----------
    staged
        The rows. Only ``table``, ``columns``, ``rows`` and ``relation`` are read, and the relation is read several
        times: one that costs much is better kept first (`Session.materialise`).
    relations
        Says how the session reads another table.

    Raises
    ------
    BindError
        A constraint names a column the rows do not have.
    """
    if not constraints:
        return []
    understood = [_understood(constraint, dialect=dialect, engine=engine) for constraint in constraints]
    rules = [compile_rule(constraint, staged, relations=relations, file=file) for constraint in understood]
    started = time.perf_counter()
    rows, counts = count_failing(session, staged, rules)
    keys = key_columns(constraints)
    results = [
        _result(rule, count, rows=rows, shown=_shown(session, staged, rule, keys) if count.failing else ())
        for rule, count in zip(rules, counts, strict=True)
    ]
    share = (time.perf_counter() - started) / len(results)
    return [replace(result, seconds=share) for result in results]


def check_contract(
    session: Session,
    staged: Staged,
    contract: Contract,
    *,
    past: Past,
    dialect: str,
    engine: str,
    file: str,
    relations: Relations = quote_path,
) -> list[CheckResult]:
    """Check all that a table promises: its constraints, then the rules of its options.

    Raises
    ------
    BindError
        A check names a column the rows do not have.
    """
    results = audit(
        session, staged, contract.constraints, dialect=dialect, engine=engine, file=file, relations=relations
    )
    if contract.rules:
        results += check_rules(session, staged, contract, past=past, keys=key_columns(contract.constraints))
    return [_hidden(result, contract.hidden) for result in results] if contract.hidden else results


def _hidden(result: CheckResult, hidden: frozenset[str]) -> CheckResult:
    """A result without values of columns that hold personal data; numbers that were measured stay."""
    about = any(name in name_key(result.check) for name in hidden)
    observed = {name: HIDDEN if about and isinstance(value, str) else value for name, value in result.observed.items()}
    return replace(
        result,
        sample=tuple(hide(row, hidden) for row in result.sample),
        sample_keys=tuple(hide(key, hidden) for key in result.sample_keys),
        observed=observed,
    )


def _understood(constraint: Constraint, *, dialect: str, engine: str) -> Constraint:
    if constraint.kind != "check" or constraint.shape:
        return constraint  # what a file says was understood when it was read: no parser is needed here
    from tidemill.sql.conditions import understand

    return understand(constraint, dialect=dialect, engine=engine)


def _result(rule: Rule, count: Count, *, rows: int, shown: Shown) -> CheckResult:
    constraint = rule.constraint
    return CheckResult(
        check=rule.label,
        kind=constraint.kind,
        enforced=constraint.enforced,
        rows_seen=rows,
        rows_failing=count.failing or 0,
        whole=rule.way == "table",
        sample=tuple(row for row, _ in shown),
        sample_keys=tuple(key for _, key in shown if key),
        observed={name: plain_value(value) for name, value in count.observed.items()},
        line=constraint.line,
        column=constraint.column,
    )


def _shown(session: Session, staged: Staged, rule: Rule, keys: Sequence[str]) -> Shown:
    """Some failing rows; where the table as a whole fails there are none."""
    if rule.way == "table":
        return ()
    about = (*rule.constraint.columns, *rule.constraint.reads)
    return sample_of(session, failing_rows(rule, source(staged)), about=about, keys=keys)
