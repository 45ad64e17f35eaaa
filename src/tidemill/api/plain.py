"""The plain protocol: predictions from rows or columns, what a model takes, and labels that come later."""

from __future__ import annotations

from typing import Any

import msgspec

from tidemill.api.answering import Answered, Ask, answer, answer_now, count_rows, fits_now, write_plain
from tidemill.api.context import Context
from tidemill.api.failures import NOSNIFF
from tidemill.api.request import JSON, Header, Request, Response, check_media_type, flag, json_response
from tidemill.core.errors import BodyError, InputError, RequestError, TooLargeError, TransientError, UnavailableError
from tidemill.core.names import name_key
from tidemill.serving.live import LiveDeployment
from tidemill.serving.log.records import LabelRecord, LabelRow, encode
from tidemill.serving.log.texts import text_of

_JSON_TYPES = ("application/json",)
_encode = msgspec.json.Encoder().encode


async def predict(ctx: Context, request: Request) -> Response:
    """Answer ``{"rows": [...]}`` or ``{"columns": {...}}``."""
    return await answer(ctx, request, _ask(ctx, request))


def predict_now(ctx: Context, request: Request) -> Response | None:
    """Answer as `predict` does, without waiting for anything; None where that cannot be."""
    ask = _ask(ctx, request)
    return answer_now(ctx, request, ask) if fits_now(ask, request) else None


def _ask(ctx: Context, request: Request) -> Ask:
    deployment = ctx.deployment(request.params[0])
    check_media_type(request, *_JSON_TYPES)
    each, write = False, write_plain
    if request.query:
        queries = request.queries()
        on_error = queries.get("on_error", "fail")
        if on_error not in ("fail", "null"):
            raise RequestError(f"on_error is fail or null; got {on_error[:40]!r}")
        each = on_error == "null"
        write = write_explained if flag(queries, "explain") else write_plain
    body = request.body
    return Ask(
        deployment,
        read=lambda model, key, each: model.rows_of_body(body, key=key, each=each),
        write=write,
        rows=lambda: count_rows(body),
        each=each,
        slow=write is write_explained,
    )


def write_explained(given: Answered) -> tuple[bytes, tuple[Header, ...]]:
    """The plain answer with what each input column adds to it."""
    if given.model is None or given.parsed is None:
        return write_plain(given)
    if any(given.errors):
        raise RequestError("explain and on_error=null do not go together where a row is wrong", hint="mend the row")
    written = msgspec.json.decode(write_plain(given)[0])
    for one, explanation in zip(written["predictions"], given.model.explain(given.parsed), strict=True):
        one["explanation"] = explanation
    return _encode(written), (JSON,)


async def models(ctx: Context, _: Request) -> Response:
    """Every deployment, with the version that answers."""
    told = [
        {"name": one.name, "model": one.settings.model, "version": _version(one), "stage": one.stage}
        for one in ctx.live.deployments.values()
    ]
    return json_response({"models": told}, headers=(NOSNIFF,))


async def model(ctx: Context, request: Request) -> Response:
    """What a deployment's model takes and gives, and how its versions stand."""
    return json_response(describe(ctx.deployment(request.params[0])), headers=(NOSNIFF,))


def describe(one: LiveDeployment) -> dict[str, Any]:
    """A deployment for a reader."""
    found = one.champion or one.challenger
    told: dict[str, Any] = {
        "name": one.name,
        "model": one.settings.model,
        "key": one.settings.key or None,
        "version": _version(one),
        "challenger": None if one.challenger is None else one.challenger.version,
        "stage": one.stage,
        "share": one.share,
        "stopped": one.stopped,
        "versions": sorted(one.standing.models),
        "log": one.settings.log,
    }
    if found is not None:
        told |= {
            "digest": found.digest,
            "label": found.label,
            "classes": list(found.classes),
            "inputs": [{"name": given.name, "type": given.type, "kind": given.kind} for given in found.inputs],
        }
    return told


def _version(one: LiveDeployment) -> int | None:
    return None if one.champion is None else one.champion.version


async def labels(ctx: Context, request: Request) -> Response:
    """Take what came true, by prediction or by key; it is on disk before this answers."""
    deployment = ctx.deployment(request.params[0])
    check_media_type(request, *_JSON_TYPES)
    settings = deployment.settings
    model = deployment.champion
    numbers = model is not None and not model.classes
    rows = [_label(number, given, settings.key, numbers=numbers) for number, given in enumerate(_given(request.body))]
    if len(rows) > ctx.settings.max_rows:
        raise TooLargeError(f"the request has {len(rows):,} labels, and at most {ctx.settings.max_rows:,} are read")
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


def _given(body: bytes) -> list[Any]:
    try:
        given = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body cannot be read: {error}"[:300]) from None
    found = given.get("labels") if isinstance(given, dict) else None
    if not isinstance(found, list) or not found:
        raise BodyError("the body holds no labels", hint='give {"labels": [{"id": ..., "label": ...}]}')
    return found


def _label(number: int, given: Any, key: str, *, numbers: bool) -> LabelRow:
    """One label, checked; ``numbers`` where the model predicts a number."""
    if not isinstance(given, dict):
        raise InputError(f"label {number} is no object", row=number)
    if given.get("label") is None:
        raise InputError(f"label {number} has no label", hint="NULL is no label: leave it out", row=number)
    by_key = {name_key(name): value for name, value in given.items()}
    id_, entity = given.get("id"), by_key.get(name_key(key)) if key else None
    if "id" in given and not isinstance(id_, str):
        raise InputError(f"label {number} has an id that is no text", row=number)
    if isinstance(entity, dict | list) or (entity is None and key and name_key(key) in by_key):
        raise InputError(f"label {number} has a {key} that is no plain value", row=number)
    if id_ is None and entity is None:
        names = f'"id", or "{key}"' if key else '"id"'
        raise InputError(f"label {number} names no prediction", hint=f"give {names} beside the label", row=number)
    label = given["label"]
    if isinstance(label, dict | list) or (numbers and (isinstance(label, str | bool))):
        raise InputError(f"label {number} is no {'number' if numbers else 'plain value'}", row=number)
    time = given.get("time")
    if time is not None:
        time = _time(number, time)
    return LabelRow(label=label, id=id_, key=None if id_ is not None or entity is None else text_of(entity), time=time)


def _time(number: int, given: Any) -> str:
    from datetime import datetime

    try:
        return datetime.fromisoformat(given).isoformat()
    except (TypeError, ValueError):
        raise InputError(
            f"label {number} has a time that is none", hint="give ISO text: 2024-02-29T13:45:00Z", row=number
        ) from None
