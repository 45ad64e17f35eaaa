"""tidemill history: the versions of a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.core.errors import NotFoundError
from tidemill.project import Project
from tidemill.runner.result import text_table
from tidemill.warehouse.protocol import TableVersion


def history(
    table: Annotated[str, typer.Argument(help="The table's name.")],
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print the versions, newest first. Each is read with ``FROM table AT (VERSION => n)``."""
    with entered(project) as opened:
        versions = _versions(opened, table)
    if as_json:
        print(json.dumps([asdict(version) for version in versions], indent=2, default=str))
        return
    rows = [
        (one.version, f"{one.created_at:%Y-%m-%d %H:%M:%S}", one.rows, one.bytes, one.run_id, one.message)
        for one in versions
    ]
    print(text_table(["version", "created_at (UTC)", "rows", "bytes", "run", "message"], rows))


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
