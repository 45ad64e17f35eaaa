"""tidemill token: who may ask the server for what."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.core.clock import utc_now
from tidemill.core.errors import SettingsError
from tidemill.runner.result import text_table
from tidemill.warehouse.control.tokens import Token


class Action(StrEnum):
    """What to do with tokens."""

    list = "list"
    create = "create"
    revoke = "revoke"


def token(
    action: Annotated[Action, argument(about="list, create or revoke.")] = Action.list,
    name: Annotated[str | None, argument(about="The token's name: who or what will use it.")] = None,
    role: Annotated[str, option("--role", about="create: read, predict, label, deploy or admin.")] = "predict",
    days: Annotated[
        float | None, option("--days", about="create: how long it is valid; else for good.", least=0.01)
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """List tokens, make one (its text is shown once), or make one worthless."""
    if action is not Action.list and not name:
        raise SettingsError(f"tidemill token {action.value} needs a name", hint=f"tidemill token {action.value} NAME")
    with entered(project) as opened:
        if action is Action.create:
            text = opened.create_token(str(name), role, days=days)
            print(json.dumps({"name": name, "role": role, "token": text}) if as_json else text)
            return
        if action is Action.revoke:
            opened.revoke_token(str(name))
            print(f"token {name} opens nothing any more")
            return
        rows = [
            {
                "name": one.name,
                "role": one.role,
                "created_by": one.created_by,
                "created_at": f"{one.created_at:%Y-%m-%d %H:%M}",
                "expires_at": "" if one.expires_at is None else f"{one.expires_at:%Y-%m-%d %H:%M}",
                "state": _state(one),
            }
            for one in opened.tokens()
        ]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        print("no tokens: tidemill token create NAME --role predict makes one")
    else:
        print(text_table(list(rows[0]), [tuple(row.values()) for row in rows]))


def _state(one: Token) -> str:
    if one.revoked_at is not None:
        return "revoked"
    return "valid" if one.valid(utc_now()) else "expired"
