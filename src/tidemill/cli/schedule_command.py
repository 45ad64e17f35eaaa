"""tidemill schedule: do what is due, once or for as long as this runs."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.stopping import UntilProcessEnds, stop_event, stopped_as_by_ctrl_c
from tidemill.cli.words import duration
from tidemill.core.words import count
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.core.schedules import ScheduleSettings
    from tidemill.project import Project


def schedule(
    names: Annotated[list[str] | None, argument(about="Only these schedules; else all.")] = None,
    once: Annotated[bool, option("--once", about="Do what is due now, one after the other, and leave.")] = False,
    next_: Annotated[
        int, option("--next", metavar="NUMBER", about="Print when each comes next, and do nothing.", least=0)
    ] = 0,
    drain: Annotated[
        float, option("--drain", metavar="SECONDS", about="How long work may go on after SIGTERM.", least=0)
    ] = 30,
    until_process_ends: UntilProcessEnds = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Do what [schedules] of tidemill.toml says, until SIGTERM or Ctrl-C; --once is for cron and its like."""
    with entered(project) as opened:
        from tidemill.runner.schedule_selects import wrong_selects
        from tidemill.schedule.perform import chosen

        asked = chosen(opened, names or [])
        wrong = wrong_selects(asked, opened.statements, opened.settings.deployments, opened.db)
        # One that names nothing keeps no other from its time.
        for error in () if next_ or once else wrong:
            print(f"warning: {error.message}; {error.hint}", file=sys.stderr, flush=True)
        if next_:
            _print_next(opened, names or [], next_, as_json=as_json)
        elif once:
            _once(opened, names or [], as_json=as_json)
        else:
            _follow(opened, names or [], drain_s=drain, parent=until_process_ends, as_json=as_json)
        if wrong and (next_ or once):
            raise wrong[0]


def _once(opened: Project, names: list[str], *, as_json: bool) -> None:
    from tidemill.schedule.perform import perform_due

    told: list[str] = []

    def say(word: str, facts: dict[str, Any]) -> None:
        told.append(word)
        _tell(word, facts, as_json=as_json)

    with stopped_as_by_ctrl_c():
        failures = perform_due(opened, names, say=say)
    if not told and not as_json:
        print("nothing is due")
    if failures:
        raise Exit(failures[0].exit_status)


def _follow(opened: Project, names: list[str], *, drain_s: float, parent: int | None, as_json: bool) -> None:
    from tidemill.schedule.perform import chosen
    from tidemill.schedule.timer import Timer
    from tidemill.warehouse.control.parts import beating

    stop = stop_event(parent)
    schedules = chosen(opened, names)
    timer = Timer(
        root=opened.root,
        settings=opened.settings,
        db=opened.db,
        clock=opened.clock,
        say=lambda word, facts: _tell(word, facts, as_json=as_json),
        names=names,
        arguments=["--json"] if as_json else [],
        drain_s=drain_s,
    )
    on = [one for one in schedules if one.enabled]
    _tell("ready", {"schedules": [one.name for one in on]}, as_json=as_json)
    with beating(opened.db, "scheduler", about=count(len(on), "schedule")):
        killed = timer.run(stop)
    if killed:
        raise Exit(1)


def _print_next(opened: Project, names: list[str], number: int, *, as_json: bool) -> None:
    from tidemill.schedule.perform import chosen

    now = opened.clock.now()
    found = {one: _next(one, now, number) for one in chosen(opened, names)} if opened.settings.schedules else {}
    if as_json:
        print(json.dumps({one.name: [slot.isoformat() for slot in slots] for one, slots in found.items()}, indent=2))
    elif not found:
        print("no schedules: tidemill.toml has them as [schedules.NAME]")
    else:
        rows = [(one.name, one.do, one.cron.text, *_shown(one, slot)) for one, slots in found.items() for slot in slots]
        print(text_table(["schedule", "do", "cron", "local time", "UTC"], rows, widest=0))


def _next(one: ScheduleSettings, now: datetime, number: int) -> list[datetime]:
    from tidemill.core.cron_times import slots_after

    return list(islice(slots_after(one.cron, one.tz, now), number)) if one.enabled else []


def _shown(one: ScheduleSettings, slot: datetime) -> tuple[str, str]:
    local = slot.astimezone(one.tz)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    offset = f" ({local.isoformat()[-len('+00:00') :]})" if twice else ""
    return f"{local:%a %Y-%m-%d %H:%M}{offset} {one.zone}", f"{slot:%Y-%m-%d %H:%M}"


def _tell(word: str, facts: dict[str, Any], *, as_json: bool) -> None:
    stream = sys.stderr if word in {"trouble", "died"} and not as_json else sys.stdout
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}
    line = json.dumps({word: plain}, ensure_ascii=False, default=str) if as_json else _line(word, facts)
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:  # whoever read this has left: what is due is done all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _line(word: str, facts: dict[str, Any]) -> str:
    if word == "ready":
        return f"scheduling {', '.join(facts['schedules'])}" if facts["schedules"] else "no schedule is on"
    if word == "settings":
        return f"tidemill.toml was edited: {count(facts['schedules'], 'schedule')}"
    if word == "trouble":
        return f"trouble: {facts['why']}"
    of = f"{facts['schedule']}"
    if "slot" in facts:
        of += f" of {facts['slot'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if word == "begun":
        more = f", attempt {facts['attempt']}" if facts["attempt"] > 1 else ""
        more += f", {count(facts['passed_over'], 'time')} before it passed over" if facts["passed_over"] else ""
        return f"{of}: {facts['do']}{more}"
    if word == "ended":
        return f"{of}: {facts['status']}, {facts['said']} ({duration(facts['seconds'])}){_again(facts)}"
    if word == "missed":
        more = f", with {count(facts['passed_over'], 'time')} before it" if facts["passed_over"] else ""
        return f"{of}: missed{more}, {facts['why']}"
    if word == "lost":
        return f"{of}: lost, its process was killed or was silent for too long{_again(facts)}"
    return f"{of}: {word}, {facts['why']}"


def _again(facts: dict[str, Any]) -> str:
    later = facts["again_at"]
    return "" if later is None else f"; again at {later.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
