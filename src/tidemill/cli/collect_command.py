"""tidemill collect: carry the prediction log into the lake."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import option
from tidemill.cli.stopping import UntilProcessEnds, stop_event
from tidemill.core.errors import TidemillError
from tidemill.core.words import count

if TYPE_CHECKING:
    from tidemill.serving.log.collect import Collected

NICENESS = 19


def collect(
    once: Annotated[bool, option("--once", about="Carry over what waits now, and leave.")] = False,
    until_process_ends: UntilProcessEnds = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Carry over what servers have logged, for as long as this runs or once. A server brings one along by itself."""
    from tidemill.warehouse.control.parts import beating

    with entered(project) as opened:
        if once:
            _print(opened.collect(), as_json=as_json)
            return
        os.nice(NICENESS)
        stop = stop_event(until_process_ends)
        with beating(opened.db, "collector"):
            opened.follow_log(stop=stop, report=lambda news: _print(news, as_json=as_json))


def _print(news: Collected | TidemillError, *, as_json: bool) -> None:
    if isinstance(news, TidemillError):
        print(json.dumps({"error": news.as_json()}, default=str) if as_json else news.render(), file=sys.stderr)
    elif as_json:
        print(json.dumps(asdict(news)), flush=True)
    else:
        passed = [f"{count(news.torn, 'torn record')} passed over"] if news.torn else []
        passed += [f"{count(news.damaged, 'damaged record')} put aside"] if news.damaged else []
        said = [f"{count(news.predictions, 'prediction')} and {count(news.labels, 'label')} collected", *passed]
        print(", ".join(said), flush=True)
