"""tidemill verify: whether every file is what was written."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument
from tidemill.core.errors import CorruptError
from tidemill.core.words import count


def verify(
    table: Annotated[str | None, argument(about="Only this table; else all tables and models.")] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print what is missing, cut or changed; leave with 5 when something is."""
    with entered(project) as opened:
        problems = opened.verify(table)
    if as_json:
        print(json.dumps([asdict(problem) for problem in problems], indent=2))
    else:
        for problem in problems:
            print(f"{problem.what}: {problem.object}: {problem.detail}")
        print(f"{count(len(problems), 'problem')} found" if problems else "every file is as it was written")
    if problems:
        raise Exit(CorruptError.exit_status)
