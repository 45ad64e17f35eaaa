"""Options that several commands share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from tidemill.cli.parameters import argument, option
from tidemill.core.settings import SETTINGS_FILE, Settings, read_settings
from tidemill.project import Project, open_project
from tidemill.runner.unbuilt import telling_unbuilt

ProjectFolder = Annotated[
    Path, option("--project", "-C", about="The project's folder, or one inside it.", envvar="TIDEMILL_PROJECT")
]
AsJson = Annotated[bool, option("--json", about="Print JSON.")]
Dialect = Annotated[str, option("--dialect", about="duckdb, bigquery, or any that sqlglot reads; else the project's.")]
Selectors = Annotated[
    list[str] | None,
    argument(about="Assets by name or pattern: NAME with all it reads, NAME+ also with all that read it."),
]

Host = Annotated[str, option("--host", about="The address the server listens on.")]
Port = Annotated[int, option("--port", about="Its port; 0 takes a free one.", least=0, most=65535)]
Workers = Annotated[int, option("--workers", about="Processes that answer.", least=1, most=64)]
Certfile = Annotated[str, option("--certfile", metavar="FILE", about="Certificate for HTTPS, in PEM.")]
Keyfile = Annotated[str, option("--keyfile", metavar="FILE", about="Its private key, in PEM.")]
BehindProxy = Annotated[
    bool, option("--behind-proxy", about="A proxy before the server speaks HTTPS with its clients.")
]
AllowHost = Annotated[
    list[str] | None, option("--allow-host", metavar="NAME", about="A host name the server answers for, besides.")
]


@contextlib.contextmanager
def entered(folder: Path, opening: Callable[[Path], Project] = open_project) -> Iterator[Project]:
    """Open a project and stand in its folder: the relative paths of its statements begin there, wherever we are."""
    before = Path.cwd()
    with opening(folder) as project:
        os.chdir(project.root)
        try:
            with telling_unbuilt(project.statements.summaries):
                yield project
        finally:
            os.chdir(before)


def settings_near(folder: Path) -> Settings | None:
    """The settings of the project we stand in, if we do."""
    start = folder.resolve()
    root = next((one for one in (start, *start.parents) if (one / SETTINGS_FILE).is_file()), None)
    return read_settings(root) if root else None
