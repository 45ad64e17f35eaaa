"""tidemill history: the versions of a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument
from tidemill.core.errors import NotFoundError
from tidemill.core.words import count
from tidemill.project import Project
from tidemill.runner.result import text_table
from tidemill.warehouse.protocol import TableVersion

CHANGES = ("added", "replaced", "deleted", "watermark")


def history(
    table: Annotated[str, argument(about="The table's name.")],
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print the versions, newest first. Each is read with ``FROM table AT (VERSION => n)``."""
    with entered(project) as opened:
        versions = _versions(opened, table)
    if as_json:
        print(json.dumps([asdict(version) for version in versions], indent=2, default=str))
        return
    # Columns that say nothing of a table that is made whole each time are left out for it.
    merged = any(one.action == "merge" or one.watermark for one in versions)
    head = ["version", "created_at (UTC)", "rows", *(CHANGES if merged else ()), "bytes", "run", "message"]
    print(text_table(head, [_row(one, merged=merged) for one in versions]))
    forgotten = [one.version for one in versions if not one.readable]
    if forgotten:
        some = count(len(forgotten), "version")
        print(f"{some} in brackets: tidemill maintain has forgotten the rows, and the number cannot be read any more")


def _row(one: TableVersion, *, merged: bool) -> tuple[object, ...]:
    what = (one.added, one.replaced, one.deleted, one.watermark) if merged else ()
    number = one.version if one.readable else f"({one.version})"
    return (number, f"{one.created_at:%Y-%m-%d %H:%M:%S}", one.rows, *what, one.bytes, one.run_id, one.message)


def _versions(project: Project, table: str) -> list[TableVersion]:
    try:
        return project.history(table)
    except NotFoundError:
        model = next((one.name for one in project.models() if one.name.lower() == table.lower()), None)
        if model is None:
            raise
        raise NotFoundError(
            f"{model} is a model, not a table", hint=f"tidemill models {model} --all lists its versions"
        ) from None
