"""tidemill test: the unit tests of a project's SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import write_text
from tidemill.cli.parameters import argument, option
from tidemill.cli.test_text import as_json, as_junit, describe_result, describe_total
from tidemill.cli.words import wants_colour
from tidemill.runner.unit_tests.result import TestResult

FAILED = 1


def test(
    names: Annotated[
        list[str] | None, argument(about="Tests by name or pattern, by what they test, or by file; else all.")
    ] = None,
    as_json_: AsJson = False,
    junit: Annotated[
        Path | None, option("--junit", metavar="FILE", about="Write the results as JUnit XML, for CI.")
    ] = None,
    project: ProjectFolder = Path(),
) -> None:
    """Give each tested statement its rows in an engine of its own, and compare; leave with 1 when one fails."""
    colour = wants_colour()
    results: list[TestResult] = []

    def tell(result: TestResult) -> None:
        results.append(result)
        if not as_json_:
            print(describe_result(result, colour=colour), flush=True)

    with entered(project) as opened:
        opened.test(names or (), on_result=tell)
    if as_json_:
        print(json.dumps(as_json(results), indent=2, ensure_ascii=False, default=str))
    else:
        print(describe_total(results))
    if junit is not None:
        write_text(as_junit(results), junit)
    if any(result.status != "passed" for result in results):
        raise Exit(FAILED)
