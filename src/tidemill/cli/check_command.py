"""tidemill check: whether what is in the lake keeps what its statements promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument
from tidemill.core.errors import ContractError
from tidemill.core.words import count
from tidemill.runner.check import CheckReport, TableReport


def check(
    tables: Annotated[list[str] | None, argument(about="Only these tables; else all, and all assertions.")] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Check what is there, record it, and leave with 4 when an enforced check fails."""
    with entered(project) as opened:
        report = opened.check(tables or ())
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False, default=str))
    else:
        print("\n".join(_lines(report)))
    if not report.held:
        raise Exit(ContractError.exit_status)


def _lines(report: CheckReport) -> list[str]:
    lines: list[str] = []
    for table in report.tables:
        lines += _table(table)
    checked = sum(len(table.results) for table in report.tables)
    failed = sum(not result.passed for table in report.tables for result in table.results)
    unreadable = sum(table.error is not None for table in report.tables)
    ending = [f"{failed} of {count(checked, 'check')} failed" if failed else f"{count(checked, 'check')} held"]
    if unreadable:
        ending.append(f"{count(unreadable, 'table')} could not be checked")
    if report.unbuilt:
        ending.append(f"not built yet: {', '.join(report.unbuilt)}")
    return [*lines, "; ".join(ending)]


def _table(table: TableReport) -> list[str]:
    asserted = table.version is None
    of = "" if asserted else f"{count(table.rows, 'row')}, version {table.version}, "
    name = f"ASSERT on {table.name}" if asserted else table.name
    if table.error is not None:
        return [f"error    {name:<28} {of}".rstrip(", "), *(f"  {line}" for line in table.error.render().split("\n"))]
    failed = sum(not result.passed for result in table.results)
    what = f"{failed} of {count(len(table.results), 'check')} failed" if failed else count(len(table.results), "check")
    if not table.results:
        what = "declares no checks"
    word = "held" if not failed else "warned" if table.held else "failed"
    lines = [f"{word:<8} {name:<28} {what}, {of}{table.seconds:.1f} s"]
    for failure in table.failures:
        lines.append(f"  {failure.result.status}: {failure.sentence}")
        lines += [f"  {line}" for line in failure.where.lines()] if failure.where else []
    return lines
