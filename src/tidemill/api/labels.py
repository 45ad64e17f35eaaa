"""Labels that come later: which prediction or entity each is for, checked and on disk before they are accepted."""

from __future__ import annotations

from typing import Any

import msgspec

from tidemill.api.context import Context
from tidemill.api.failures import NOSNIFF
from tidemill.api.request import Request, Response, check_media_type, json_response
from tidemill.core.errors import BodyError, TooLargeError, TransientError, UnavailableError
from tidemill.serving.log.label_rules import LabelRules, hide_keys
from tidemill.serving.log.label_values import LabelValues, values_of
from tidemill.serving.log.records import LabelRecord, encode


async def labels(ctx: Context, request: Request) -> Response:
    """Take what came true, by prediction or by key; it is on disk before this answers."""
    deployment = ctx.deployment(request.params[0])
    check_media_type(request, "application/json")
    settings = deployment.settings
    model = deployment.champion
    found = _given(request.body)
    if len(found) > ctx.settings.max_rows:
        raise TooLargeError(f"the request has {len(found):,} labels, and at most {ctx.settings.max_rows:,} are read")
    now_ns = ctx.now_ns()
    rules = LabelRules(
        key=settings.key,
        now=ctx.clock.now(),
        values=values_of(model.classes) if model is not None else LabelValues(),
    )
    rows = hide_keys([rules.read(number, given) for number, given in enumerate(found)], settings, ctx.log_key)
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


def _given(body: bytes) -> list[Any]:
    try:
        given = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body cannot be read: {error}"[:300]) from None
    found = given.get("labels") if isinstance(given, dict) else None
    if not isinstance(found, list) or not found:
        raise BodyError("the body holds no labels", hint='give {"labels": [{"id": ..., "label": ...}]}')
    return found
