"""tidemill init: a new project, empty or from a file."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

from tidemill.cli.parameters import argument, option
from tidemill.core.words import count
from tidemill.new_project import NewProject, create_project
from tidemill.sources.choose import Choice


def init(
    folder: Annotated[Path, argument(metavar="DIR", about="The project's folder; it may exist.")],
    file: Annotated[
        Path | None, option("--from", metavar="FILE", about="A data file to begin with, or a pattern of files.")
    ] = None,
    predict: Annotated[str, option("--predict", metavar="COLUMN", about="The column a model should predict.")] = "",
    dbt: Annotated[
        Path | None, option("--from-dbt", metavar="DIR", about="A dbt project whose tables to take in.")
    ] = None,
    select: Annotated[
        list[str] | None,
        option("--select", metavar="PATTERN", about="Which of dbt's tables: a name, a pattern or tag:NAME."),
    ] = None,
) -> None:
    """Write the files, and say what they hold and what to do next."""
    project = create_project(folder, file=file, predict=predict, dbt=dbt, select=select or ())
    for path in sorted(project.files):
        print(f"wrote {os.path.relpath(path)}")
    for note in project.notes:
        print(f"note: {note}")
    if project.choice:
        print(_about_model(project, project.choice))
    print("\nnext:")
    if folder.resolve() != Path.cwd():
        print(f"  cd {shlex.quote(str(folder))}")
    print("  tidemill run")
    if project.model:
        print(f'  tidemill sql -e "SELECT * FROM ML.EVALUATE(MODEL {project.model})"')
        print(f"  tidemill deploy {project.model}")
        print("  tidemill serve")


def _about_model(project: NewProject, choice: Choice) -> str:
    features = count(len(choice.features), "column")
    lines = [f"\nmodel {project.model} predicts {choice.label.name} ({choice.task}) from {features} of {project.table}"]
    if choice.left_out:
        lines.append("left out:")
        width = min(30, max(len(one.name) for one in choice.left_out))
        lines += [f"  {one.name:<{width}}  {one.why}" for one in choice.left_out]
    return "\n".join(lines)
