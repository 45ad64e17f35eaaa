"""tidemill run: do what the plan lists."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, Selectors, entered
from tidemill.cli.parameters import option
from tidemill.cli.progress import JsonLog, Listener, Silent, follow, summary
from tidemill.cli.words import erased_again


class Log(StrEnum):
    """How a run tells what it does."""

    text = "text"
    json = "json"


def run(
    selectors: Selectors = None,
    full_refresh: Annotated[bool, option("--full-refresh", about="Build everything anew.")] = False,
    forget_gone_files: Annotated[
        bool,
        option(
            "--forget-gone-files",
            about="Let an incremental table that is built whole lose the rows of files that are gone.",
        ),
    ] = False,
    wait: Annotated[float, option("--wait", metavar="SECONDS", about="Wait for another run to end.", least=0)] = 0,
    log: Annotated[Log, option("--log", about="Tell what happens as text, or as JSON lines on stderr.")] = Log.text,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Run, and leave with the status of the first failure."""
    listener: Listener = JsonLog() if log is Log.json else Silent() if as_json else follow()
    with entered(project) as opened, listener:
        if again := opened.erase_restored():
            print(erased_again(again), file=sys.stderr)
        report = opened.run(
            selectors or (),
            full_refresh=full_refresh,
            forget_gone_files=forget_gone_files,
            wait_s=wait,
            on_event=listener,
        )
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False, default=str))
    elif log is Log.text:
        print(summary(report))
    else:
        listener.finish(report)
    if report.exit_status or report.status == "failed":
        raise Exit(report.exit_status or 1)
