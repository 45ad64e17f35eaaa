"""tidemill profile: say what a table, a file or a query holds, and what is worth a warning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, Dialect, ProjectFolder, entered, settings_near
from tidemill.cli.output import write_text
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.cli.words import wants_colour
from tidemill.core.errors import SettingsError
from tidemill.runner.profile import ProfileRequest, profile_file
from tidemill.runner.rows_of import is_file

if TYPE_CHECKING:
    from tidemill.analysis.profile.result import Profile
    from tidemill.runner.profile import Listener


def profile(
    source: Annotated[
        str,
        argument(metavar="TABLE|FILE", about="A table or view of the project, or a file or a pattern of files."),
    ] = "",
    execute: Annotated[
        str, option("--execute", "-e", metavar="SQL", about="A query whose rows are looked at, instead.")
    ] = "",
    label: Annotated[
        str, option("--label", about="The column that is to be predicted: columns that give it away are named.")
    ] = "",
    html: Annotated[Path | None, option("--html", metavar="FILE", about="Write one HTML page with charts.")] = None,
    as_json: AsJson = False,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Count, and print what each column holds. All rows are counted; what is read from a sample says so."""
    if bool(source) == bool(execute):
        raise SettingsError("give a table, a file or -e, and only one", hint="tidemill profile customers.csv")
    request = ProfileRequest(name=source, query=execute, dialect=dialect, label=label)
    html = html.absolute() if html else None
    with status_line() as tell:
        found = _profile(request, project, tell)
    if html is not None:
        from tidemill.analysis.profile.page import as_page

        write_text(as_page(found), html)
    if as_json:
        from tidemill.analysis.profile.as_json import as_json as shape

        print(json.dumps(shape(found), indent=2, ensure_ascii=False))
    elif html is not None:
        print(f"wrote {html}")
    else:
        from tidemill.cli.profile_text import describe

        print(describe(found, colour=wants_colour()))


def _profile(request: ProfileRequest, project: Path, tell: Listener) -> Profile:
    if request.name and is_file(request.name):
        return profile_file(Path(request.name), request, settings=settings_near(project), listen=tell)
    with entered(project) as opened:
        from tidemill.runner.profile import profile as profile_of

        return profile_of(opened.stations, request, listen=tell)
