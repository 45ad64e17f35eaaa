"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectFolder = Annotated[
    Path, typer.Option("--project", "-C", help="The project's folder, or one inside it.", envvar="TIDEMILL_PROJECT")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Dialect = Annotated[
    str, typer.Option("--dialect", help="duckdb, bigquery, or any that sqlglot reads; else the project's.")
]
Selectors = Annotated[
    list[str] | None,
    typer.Argument(help="Names of assets: NAME, +NAME with all it reads, NAME+ with all that read it."),
]
