"""tidemill drift: say which columns of some rows moved from a reference, how far, and whether that is chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, Dialect, ProjectFolder, entered, settings_near
from tidemill.cli.output import write_text
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.cli.words import wants_colour
from tidemill.runner.drift import drift as drift_of
from tidemill.runner.drift import drift_files
from tidemill.runner.rows_of import is_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidemill.analysis.drift.report import DriftReport

ROWS = "TABLE|FILE|SELECT"


def drift(
    reference: Annotated[
        str, argument(metavar=ROWS, about="The rows that say what is usual: a table, a view, a file or a query.")
    ],
    current: Annotated[str, argument(metavar=ROWS, about="The rows that are compared with them.")],
    html: Annotated[Path | None, option("--html", metavar="FILE", about="Write one HTML page with charts.")] = None,
    as_json: AsJson = False,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Compare each column, and print the farthest first. All rows are counted; two files need no project."""
    html = html.absolute() if html else None
    with status_line() as tell:
        found = _compared(reference, current, dialect, project, tell)
    if html is not None:
        from tidemill.analysis.drift.page import as_page

        write_text(as_page(found), html)
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return
    from tidemill.cli.drift_text import describe

    print(describe(found, colour=wants_colour()))
    if html is not None:
        print(f"wrote {html}")


def _compared(reference: str, current: str, dialect: str, project: Path, tell: Callable[[str], None]) -> DriftReport:
    files = [is_file(text) for text in (reference, current)]
    if all(files):
        return drift_files(Path(reference), Path(current), settings=settings_near(project), listen=tell)
    # Files are named from where the person stands, which is not always the project's folder.
    old, new = (
        str(Path(text).absolute()) if file else text for text, file in zip((reference, current), files, strict=True)
    )
    with entered(project) as opened:
        return drift_of(opened.stations, old, new, dialect=dialect, listen=tell)
