"""tidemill audit: who changed what, and whether the trail is whole."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.core.errors import CorruptError
from tidemill.runner.result import text_table


class Action(StrEnum):
    """What to do with the trail."""

    list = "list"
    verify = "verify"


def audit(
    action: Annotated[Action, argument(about="list shows the trail, verify checks its chain.")] = Action.list,
    head: Annotated[
        str, option("--head", metavar="HASH", about="verify: a hash that was written down, and must be in it.")
    ] = "",
    limit: Annotated[int, option("--limit", about="list: the last so many rows; 0 shows all.", least=0)] = 50,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Show or check the audit trail."""
    with entered(project) as opened:
        rows = opened.audit()
        problems = opened.verify_audit(head=head) if action is Action.verify else []
    if action is Action.list:
        shown = rows[-limit:] if limit else rows
        if as_json:
            print(json.dumps([_plain(row) for row in shown], indent=2, ensure_ascii=False))
            return
        table = [(row.number, row.at[:19].replace("T", " "), row.who, row.action, row.object, row.why) for row in shown]
        names = ["number", "at (UTC)", "who", "did", "to", "because"]
        print(text_table(names, table, widest=100) if table else "nothing was changed yet")
        return
    newest = rows[-1].hash if rows else ""
    if as_json:
        print(json.dumps({"rows": len(rows), "head": newest, "problems": problems}, indent=2))
    elif not problems:
        print(f"{len(rows)} rows, whole; the newest has the hash {newest or 'of nothing'}")
    if problems:
        raise CorruptError(
            "; ".join(problems), hint="put back a copy of the control database and compare", problems=problems
        )


def _plain(row: object) -> dict[str, object]:
    names = ("number", "at", "who", "action", "object", "why", "evidence", "previous", "hash")
    return {name: getattr(row, name) for name in names}
