"""tidemill erase: take a person's rows out of everything that is kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tidemill.cli.erase_text import as_facts, describe, describe_looked, listed
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.core.errors import SettingsError, SourceError
from tidemill.governance.subject import Value, read_value

if TYPE_CHECKING:
    from tidemill.project import Project


def erase(
    values: Annotated[
        list[str] | None,
        argument(about="Values that name the person, as COLUMN=VALUE: a row with any of them goes.", metavar="VALUES"),
    ] = None,
    from_: Annotated[
        str,
        option("--from", metavar="FILE", about="Read them from a file, a line each; - reads what is piped in."),
    ] = "",
    yes: Annotated[bool, option("--yes", about="Do it; without it what would go is shown.")] = False,
    why: Annotated[str, option("--why", about="The reason, for the ledger and the audit trail.")] = "",
    now: Annotated[
        bool, option("--now", about="Remove files at once that queries may be reading; else after grace_hours.")
    ] = False,
    wait: Annotated[float, option("--wait", metavar="SECONDS", about="Wait for a run to end.", least=0)] = 0,
    take_back: Annotated[
        int | None, option("--take-back", metavar="NUMBER", about="Let them come in again: loads keep their rows.")
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Show what is kept of a person, or erase it; without values, list the erasures."""
    given = [*(values or ()), *(_read(from_) if from_ else ())]
    people = [read_value(one) for one in given]
    if people and take_back is not None:
        hint = "tidemill erase lists the numbers"
        raise SettingsError("--take-back takes the number of an erasure, and no values", hint=hint)
    with entered(project) as opened:
        if take_back is not None:
            one = opened.forgive(take_back)
            text = f"erasure {one.number} is taken back: what is gone stays gone, what comes is kept"
            _print(text, as_facts(one, None), as_json)
        elif people:
            _one(opened, people, yes=yes, why=why, now=now, wait=wait, as_json=as_json)
        else:
            _list(opened, now=now, as_json=as_json)


def _one(project: Project, values: list[Value], *, yes: bool, why: str, now: bool, wait: float, as_json: bool) -> None:
    if not yes:
        looked = project.look_for(values)
        _print(describe_looked(looked), as_facts(None, looked), as_json)
        return
    with status_line() as tell:
        asked = project.erase(values, why=why, now=now, wait_s=wait, listen=tell)
    _print(describe(asked), as_facts(asked.erasure, asked.before), as_json)


def _list(project: Project, *, now: bool, as_json: bool) -> None:
    if now:
        with status_line() as tell:
            project.end_erasures(now=True, listen=tell)
    found = project.erasures()
    at = project.clock.now()
    _print(listed(found, at, restored=project.restored()), [as_facts(one, None) for one in found], as_json)


def _read(name: str) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "give a text file with a COLUMN=VALUE on each line"
        raise SourceError(f"{name} cannot be read: {error}", hint=hint) from error
    found = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not found:
        raise SettingsError(f"{name} names nobody", hint="give a COLUMN=VALUE on each line")
    return found


def _print(text: str, facts: Any, as_json: bool) -> None:
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=str) if as_json else text)
