"""tidemill lint: what would become of statements, without running them."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, Dialect, ProjectFolder
from tidemill.cli.parameters import argument
from tidemill.cli.sql_command import read_statements
from tidemill.cli.words import paint, wants_colour
from tidemill.core.errors import NotFoundError, SettingsError, StatementError
from tidemill.project import open_project
from tidemill.sql.lint import LintRow, lint_texts

COLOURS = {"supported": "32", "partial": "33", "rejected": "31", "error": "31"}


def lint(
    files: Annotated[list[Path] | None, argument(about="Files of statements; else all of the project's.")] = None,
    dialect: Dialect = "",
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print a status and a reason for each statement; leave with 3 when one is rejected or wrong."""
    paths, found = find_files(files or [], project)
    rows = lint_texts([(str(path), read_statements(path)) for path in paths], dialect=dialect or found)
    if as_json:
        print(json.dumps([row.as_json() for row in rows], indent=2, ensure_ascii=False))
    else:
        for row in rows:
            print(describe_row(row, colour=wants_colour()))
        counts: Counter[str] = Counter(row.status for row in rows)
        print(", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status]) or "no statements")
    if any(row.status in ("rejected", "error") for row in rows):
        raise Exit(StatementError.exit_status)


def find_files(files: list[Path], project: Path) -> tuple[list[Path], str]:
    """The files to read (folders stand for the .sql files in them), and the project's dialect."""
    try:
        with open_project(project) as opened:
            dialect, root = opened.settings.dialect, opened.root
    except SettingsError:
        if not files:
            raise
        dialect, root = "duckdb", Path()
    paths: list[Path] = []
    for path in files or [Path(os.path.relpath(root / "sql"))]:
        if path.is_dir():
            paths.extend(sorted(path.rglob("*.sql")))
        elif path.is_file() or str(path) == "-":
            paths.append(path)
        else:
            raise NotFoundError(f"there is no file {path}", hint="check the path")
    return paths, dialect


def describe_row(row: LintRow, *, colour: bool = False) -> str:
    """One statement's status as text; an error with its line and carets."""
    head = f"{row.file}:{row.line}: {paint(row.status, COLOURS[row.status], when=colour)}: {row.statement}"
    if row.status == "error" and row.error is not None:
        return "\n".join([head, *(f"  {line}" for line in row.error.render().split("\n"))])
    return f"{head}\n  {row.reason}" if row.reason else head
