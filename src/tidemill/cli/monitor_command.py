"""tidemill monitor: measure the windows of what deployments answered, and judge them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.stopping import UntilProcessEnds, stop_event
from tidemill.core.errors import BusyError, SettingsError, TidemillError, TransientError
from tidemill.core.words import count

if TYPE_CHECKING:
    from tidemill.project import Project
    from tidemill.runner.watch.deployment import Monitored
    from tidemill.runner.watch.others import OtherVersion

NICENESS = 10
"""Answers come before figures about them."""


def monitor(
    deployments: Annotated[list[str] | None, argument(about="Only these deployments; else all of them.")] = None,
    once: Annotated[bool, option("--once", about="Measure what is over now, and leave.")] = False,
    every_s: Annotated[
        float, option("--every", least=1, metavar="SECONDS", about="How long to rest between two looks.")
    ] = 60.0,
    until_process_ends: UntilProcessEnds = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Watch what deployments answer, for as long as this runs or once. See tidemill.drift and tidemill.performance."""
    with entered(project) as opened:
        if once:
            found = opened.monitor(deployments or ())
            _print(found, as_json=as_json)
            if any(one.error is not None for one in found):
                raise Exit(1)
        else:
            os.nice(NICENESS)
            _follow(opened, deployments or [], every_s=every_s, parent=until_process_ends, as_json=as_json)


def _follow(opened: Project, names: list[str], *, every_s: float, parent: int | None, as_json: bool) -> None:
    from tidemill.warehouse.control.parts import beating

    stop = stop_event(parent)
    told = ""
    _say("ready", {"every": every_s}, as_json=as_json)
    with beating(opened.db, "monitor"):
        while not stop.is_set():
            try:
                _read_again(opened, as_json=as_json)
                found = opened.monitor(names)
                _print([one for one in found if one.windows or one.labelled or one.error], as_json=as_json)
                told = ""
            except TransientError as error:  # another monitor, a busy database: the next look tries again
                if error.message != told:
                    told = error.message
                    if isinstance(error, BusyError) and not as_json:
                        print(f"waiting: {error.message}", flush=True)
                    else:
                        _trouble(error, as_json=as_json)
            stop.wait(every_s)


def _read_again(opened: Project, *, as_json: bool) -> None:
    """Settings that were edited count from the next look on; while they are wrong, the old ones do."""
    try:
        if opened.read_again():
            print(json.dumps({"settings": "read again"}) if as_json else "tidemill.toml was edited", flush=True)
    except SettingsError as error:
        _trouble(error, as_json=as_json, before="the settings as they were are kept: ")


def _print(found: list[Monitored], *, as_json: bool) -> None:
    for one in found:
        if as_json:
            print(json.dumps({"monitored": one.as_json()}, default=str), flush=True)
            continue
        if one.error is not None:
            _trouble(one.error, as_json=False, before=f"{one.deployment}: ")
        for line in _lines(one):
            print(line, flush=True)


def _lines(one: Monitored) -> list[str]:
    lines = []
    if one.windows:
        first, last = one.windows[0], one.windows[-1]
        lines.append(
            f"{one.deployment}: {count(len(one.windows), 'window')} measured, {first.start:%Y-%m-%d %H:%M} to"
            f" {last.end:%Y-%m-%d %H:%M} UTC, {count(one.rows, 'answer')}, {count(one.measurements, 'figure')},"
            f" {one.seconds:.1f} s"
        )
    if one.labelled:
        lines.append(f"{one.deployment}: quality of {count(len(one.labelled), 'window')} measured by labels")
    if not lines and one.error is None:
        lines.append(f"{one.deployment}: no window is over that was not measured")
    lines += [f"  {_other(it)}" for it in one.others]
    lines += [f"  alert {it.alert.id} {it.happening}: {it.alert.cause} ({it.alert.severity})" for it in one.happened]
    return [*lines, *(f"  {note}" for note in (*one.notes, one.few) if note)]


def _other(one: OtherVersion) -> str:
    """How a version beside the main one did in a window."""
    shown = "no value" if one.value is None else f"{one.value:.4g}"
    between = "" if one.low is None or one.high is None else f" ({one.low:.4g} to {one.high:.4g})"
    shadow = f", {one.shadow:,} in the shadow" if one.shadow else ""
    about = f"{one.window.start:%Y-%m-%d %H:%M}, version {one.version} beside the main one"
    return f"{about}: {one.metric} {shown}{between} on {count(one.labelled, 'labelled answer')}{shadow}"


def _say(word: str, facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({word: facts}), flush=True)


def _trouble(error: TidemillError, *, as_json: bool, before: str = "") -> None:
    print(json.dumps({"error": error.as_json()}, default=str) if as_json else before + error.render(), file=sys.stderr)
