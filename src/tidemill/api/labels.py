"""Labels that come later: which prediction or entity each is for, checked and on disk before they are accepted."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import structs

from tidemill.api.context import Context
from tidemill.api.failures import NOSNIFF
from tidemill.api.request import Request, Response, check_media_type, json_response
from tidemill.core.errors import BodyError, InputError, TooLargeError, TransientError, UnavailableError
from tidemill.core.names import name_key
from tidemill.core.sections import DeploymentSettings
from tidemill.serving.log.records import LabelRecord, LabelRow, encode
from tidemill.serving.log.redact import redact_keys
from tidemill.serving.log.texts import text_of

#: What `tidemill.api.ids` makes, with the number of the row where there were several.
PREDICTION_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}(-[0-9]{1,9})?")


async def labels(ctx: Context, request: Request) -> Response:
    """Take what came true, by prediction or by key; it is on disk before this answers."""
    deployment = ctx.deployment(request.params[0])
    check_media_type(request, "application/json")
    settings = deployment.settings
    model = deployment.champion
    numbers = model is not None and not model.classes
    classes = frozenset(map(text_of, model.classes)) if model is not None else frozenset()
    found = _given(request.body)
    if len(found) > ctx.settings.max_rows:
        raise TooLargeError(f"the request has {len(found):,} labels, and at most {ctx.settings.max_rows:,} are read")
    rows = [_label(number, given, settings.key, numbers=numbers, classes=classes) for number, given in enumerate(found)]
    rows = _hidden(rows, settings, ctx.log_key)
    now_ns = ctx.now_ns()
    record = LabelRecord(
        id=ctx.ids.next(now_ns),
        at_ns=now_ns,
        deployment=settings.name,
        model=settings.model,
        rows=rows,
        principal=request.who,
    )
    try:
        await ctx.log.synced(ctx.log.append(encode(record)))
    except TransientError as error:
        raise UnavailableError(error.message, hint="the labels were not taken: send them again") from error
    return json_response({"accepted": len(rows)}, status=202, headers=(NOSNIFF,))


def _hidden(rows: list[LabelRow], settings: DeploymentSettings, log_key: bytes) -> list[LabelRow]:
    """The rows with their keys as the log of predictions has them: hashed or left out where the deployment says so."""
    if not settings.hash_columns and not settings.omit_columns:
        return rows
    keys = redact_keys(
        [row.key for row in rows],
        settings.key,
        hash_columns=settings.hash_columns,
        omit_columns=settings.omit_columns,
        key=log_key,
    )
    if any(row.id is None and key is None for row, key in zip(rows, keys, strict=True)):
        raise InputError(
            f"the log leaves {settings.key} out, so a label cannot be found by it", hint='give "id" beside the label'
        )
    return [structs.replace(row, key=key) for row, key in zip(rows, keys, strict=True)]


def _given(body: bytes) -> list[Any]:
    try:
        given = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body cannot be read: {error}"[:300]) from None
    found = given.get("labels") if isinstance(given, dict) else None
    if not isinstance(found, list) or not found:
        raise BodyError("the body holds no labels", hint='give {"labels": [{"id": ..., "label": ...}]}')
    return found


def _label(number: int, given: Any, key: str, *, numbers: bool, classes: frozenset[str]) -> LabelRow:
    """One label, checked; ``numbers`` where the model predicts a number, else the texts of its classes."""
    if not isinstance(given, dict):
        raise InputError(f"label {number} is no object", row=number)
    label = given.get("label")
    if label is None:
        raise InputError(f"label {number} has no label", hint="NULL is no label: leave it out", row=number)
    if isinstance(label, dict | list) or (numbers and isinstance(label, str | bool)):
        raise InputError(f"label {number} is no {'number' if numbers else 'plain value'}", row=number)
    if classes and text_of(label) not in classes:
        known = ", ".join(sorted(classes)[:12])
        raise InputError(
            f"label {number} is {label!r}, which is no class of the model", hint=f"its classes are {known}", row=number
        )
    id_, entity = _whose(number, given, key)
    time = given.get("time")
    return LabelRow(label=label, id=id_, key=entity, time=None if time is None else _time(number, time))


def _whose(number: int, given: dict[str, Any], key: str) -> tuple[str | None, str | None]:
    """The prediction's id, or the key of the entity: one of the two.

    Where the key's column is itself called ``id``, texts of the form of a prediction's id are one.
    """
    by_name = {name_key(name): value for name, value in given.items()}
    if key and name_key(key) in by_name:
        entity = by_name[name_key(key)]
        if entity is None or isinstance(entity, dict | list):
            raise InputError(f"label {number} has a {key} that is no plain value", row=number)
        if name_key(key) == "id":
            if isinstance(entity, str) and PREDICTION_ID.fullmatch(entity):
                return entity, None
            return None, text_of(entity)
        if "id" not in given:
            return None, text_of(entity)
    if "id" not in given:
        names = f'"id", or "{key}"' if key else '"id"'
        raise InputError(f"label {number} names no prediction", hint=f"give {names} beside the label", row=number)
    if not isinstance(given["id"], str):
        raise InputError(f"label {number} has an id that is no text", row=number)
    return given["id"], None


def _time(number: int, given: Any) -> str:
    from datetime import datetime

    try:
        return datetime.fromisoformat(given).isoformat()
    except (TypeError, ValueError):
        raise InputError(
            f"label {number} has a time that is none", hint="give ISO text: 2024-02-29T13:45:00Z", row=number
        ) from None
