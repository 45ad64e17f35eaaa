"""The door in a notebook: ``%load_ext tidemill``, then ``%%tidemill`` over a cell of SQL.

``%%tidemill [FOLDER] [--out NAME]`` carries the cell's statements out in the project in a folder (the current one when
it is not named) and shows the rows of the last one; ``--out`` keeps them under a name.
``%tidemill plan`` and ``%tidemill run [NAME ...]`` plan and run the project.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.cli.plan_command import describe_plan
from tidemill.cli.progress import Lines, summary
from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.names import did_you_mean
from tidemill.project import Project, open_project

if TYPE_CHECKING:
    from tidemill.runner.result import Result


class Notebook:
    """The projects a notebook has opened, and what its magics do with them."""

    def __init__(self) -> None:
        self._open: dict[Path, Project] = {}

    def project(self, folder: str = ".") -> Project:
        """The project in a folder, opened once."""
        path = Path(folder).resolve()
        if path not in self._open:
            self._open[path] = open_project(path)
        return self._open[path]

    def cell(self, line: str, text: str) -> tuple[Result, str]:
        """Carry out a cell; returns its rows, and the name to keep them under."""
        words = shlex.split(line)
        name = ""
        if "--out" in words:
            at = words.index("--out")
            if at + 1 == len(words) or not words[at + 1].isidentifier():
                raise SettingsError("--out needs a name to keep the rows under", hint="%%tidemill --out rows")
            name = words[at + 1]
            del words[at : at + 2]
        if len(words) > 1:
            raise SettingsError(
                f"%%tidemill takes one folder; got {' '.join(words)}", hint="%%tidemill [FOLDER] [--out NAME]"
            )
        return self.project(*words).sql(text), name

    def line(self, line: str) -> None:
        """Plan or run the project of the current folder."""
        command, *rest = shlex.split(line) or [""]
        if command == "plan":
            print(describe_plan(self.project().plan(rest)))  # noqa: T201
        elif command == "run":
            report = self.project().run(rest, on_event=Lines())
            print(summary(report))  # noqa: T201
        else:
            raise SettingsError(f"no magic %tidemill {command}", hint=did_you_mean(command, ["plan", "run"]))


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to a notebook: what ``%load_ext tidemill`` calls."""
    from IPython.core.error import UsageError

    notebook = Notebook()

    def tidemill(line: str, cell: str | None = None) -> Any:
        """Carry out SQL, or plan or run the project."""
        try:
            if cell is None:
                return notebook.line(line)
            result, name = notebook.cell(line, cell)
        except TidemillError as error:
            # Shown as one message: a traceback through our files would hide it.
            raise UsageError(error.render()) from error
        if name:
            shell.push({name: result})
            return None
        return result

    shell.register_magic_function(tidemill, "line_cell", "tidemill")
