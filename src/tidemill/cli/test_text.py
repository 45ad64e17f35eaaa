"""Results of unit tests as text, as JSON and as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tidemill.cli.output import plain
from tidemill.cli.words import columns_of_text, paint
from tidemill.core.words import count
from tidemill.runner.result import cut, show
from tidemill.runner.unit_tests.compare import Difference, same
from tidemill.runner.unit_tests.result import TestResult

_COLOURS = {"passed": "32", "failed": "31", "error": "31"}
_MOST_ROWS = 20
_WIDEST = 40


def describe_result(result: TestResult, *, colour: bool = False) -> str:
    """One line, and below it what is not as expected."""
    test = result.test
    head = paint(f"{result.status:<6}", _COLOURS[result.status], when=colour)
    line = f"{head}  {test.name}  ({test.of})"
    if result.status == "passed":
        return line
    lines = [f"{line}  {test.source.file}:{test.source.line}"]
    lines += [f"  {problem}" for problem in result.problems]
    for one in result.differences:
        lines += [] if one.none else [f"  {text}" for text in describe_difference(one, colour=colour)]
    if result.error is not None:
        lines += [f"  {text}" for text in result.error.render().split("\n")]
    return "\n".join(lines)


def describe_difference(one: Difference, *, colour: bool = False) -> list[str]:
    """The rows that differ, in aligned columns: ``-`` is missing, ``+`` was not expected, ``~`` differs."""
    differ = "differs" if len(one.changed) == 1 else "differ"
    parts = ((one.changed, differ), (one.missing, "missing"), (one.unexpected, "not expected"))
    said = [f"{len(rows):,} {word}" for rows, word in parts if rows]
    rows = [("~", [_change(left, right) for left, right in zip(*pair, strict=True)]) for pair in one.changed]
    rows += [("-", list(map(_cell, row))) for row in one.missing]
    rows += [("+", list(map(_cell, row))) for row in one.unexpected]
    cells = [(" ", list(one.columns)), *rows[:_MOST_ROWS]]
    lines = columns_of_text([(mark, *texts) for mark, texts in cells], widest=2 * _WIDEST)
    marks = {"~": "33", "-": "31", "+": "32"}
    painted = [
        paint(line, marks.get(mark, "0"), when=colour and mark in marks)
        for (mark, _), line in zip(cells, lines, strict=True)
    ]
    legend = "  (expected -> found)" if one.changed else ""
    more = [f"... and {count(len(rows) - _MOST_ROWS, 'more row')}"] if len(rows) > _MOST_ROWS else []
    return [f"{one.what}: {', '.join(said)}; {one.matching:,} as expected{legend}", *painted, *more]


def describe_total(results: Sequence[TestResult]) -> str:
    """How many there were of each."""
    if not results:
        return "no tests: write some into .sql or .toml files in the project's tests folder"
    counts = {status: sum(result.status == status for result in results) for status in _COLOURS}
    said = [f"{number} {word}" for word, number in counts.items() if number]
    return f"{count(len(results), 'test')}: {', '.join(said)}"


def _cell(value: Any) -> str:
    return cut(show(value), _WIDEST) if value is not None else "NULL"


def _change(left: Any, right: Any) -> str:
    return _cell(right) if same(left, right) else f"{_cell(left)} -> {_cell(right)}"


def as_json(results: Sequence[TestResult]) -> list[dict[str, Any]]:
    """Results as plain data."""
    return [
        {
            "name": result.test.name,
            "of": result.test.of,
            "file": result.test.source.file,
            "line": result.test.source.line,
            "status": result.status,
            "seconds": round(result.seconds, 3),
            "problems": list(result.problems),
            "differences": [_difference(one) for one in result.differences if not one.none],
            "error": result.error.as_json() if result.error else None,
        }
        for result in results
    ]


def _difference(one: Difference) -> dict[str, Any]:
    def row(values: Sequence[Any]) -> dict[str, Any]:
        return {name: plain(value) for name, value in zip(one.columns, values, strict=True)}

    return {
        "what": one.what,
        "matching": one.matching,
        "missing": [row(values) for values in one.missing],
        "unexpected": [row(values) for values in one.unexpected],
        "changed": [{"expected": row(left), "found": row(right)} for left, right in one.changed],
    }


def as_junit(results: Sequence[TestResult]) -> str:
    """Results as continuous integration reads them."""
    failed = sum(result.status == "failed" for result in results)
    errors = sum(result.status == "error" for result in results)
    seconds = sum(result.seconds for result in results)
    head = f'tests="{len(results)}" failures="{failed}" errors="{errors}" time="{seconds:.3f}"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites {head}>",
            f'<testsuite name="tidemill" {head}>',
            *map(_case, results),
            "</testsuite>",
            "</testsuites>",
            "",
        ]
    )


def _case(result: TestResult) -> str:
    test = result.test
    about = f"classname={quoteattr(test.of)} name={quoteattr(test.name)} file={quoteattr(test.source.file)}"
    head = f'<testcase {about} line="{test.source.line}" time="{result.seconds:.3f}"'
    if result.status == "passed":
        return f"{head}/>"
    kind = "failure" if result.status == "failed" else "error"
    text = describe_result(result)
    # Characters that XML cannot hold would spoil the file.
    clean = "".join(char for char in text if char >= " " or char in "\n\t")
    return f"{head}><{kind} message={quoteattr(clean.splitlines()[0])}>{escape(clean)}</{kind}></testcase>"
