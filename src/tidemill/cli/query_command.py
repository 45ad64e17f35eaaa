"""tidemill query: one SQL text, short for `tidemill sql -e`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tidemill.cli.options import Dialect, ProjectFolder
from tidemill.cli.parameters import argument
from tidemill.cli.sql_command import FormatOption, LimitOption, OutputOption, carry_out


def query(
    text: Annotated[str, argument(metavar="SQL", about="The query.")],
    format_: FormatOption = None,
    output: OutputOption = None,
    limit: LimitOption = 100,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Carry the query out and print its rows."""
    carry_out(text, format_=format_, output=output, limit=limit, dialect=dialect, project=project)
