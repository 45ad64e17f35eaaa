"""The plain protocol: predictions from rows or columns, what a model takes, and labels that come later."""

from __future__ import annotations

from typing import Any

import msgspec

from tidemill.api.answering import Answered, Ask, answer, answer_now, fits_now
from tidemill.api.context import Context
from tidemill.api.failures import NOSNIFF
from tidemill.api.request import JSON, Header, Request, Response, check_media_type, flag, json_response
from tidemill.core.errors import BodyError, RequestError
from tidemill.serving.live import LiveDeployment

_JSON_TYPES = ("application/json",)
_encode = msgspec.json.Encoder().encode


async def predict(ctx: Context, request: Request) -> Response:
    """Answer ``{"rows": [...]}`` or ``{"columns": {...}}``."""
    return await answer(ctx, request, _ask(ctx, request))


def predict_now(ctx: Context, request: Request) -> Response | None:
    """Answer as `predict` does, without waiting for anything; None where that cannot be."""
    ask = _ask(ctx, request)
    return answer_now(ctx, request, ask) if fits_now(ask, request) else None


def write_plain(given: Answered) -> tuple[bytes, tuple[Header, ...]]:
    """The plain protocol's answer."""
    if given.model is None or given.answers is None:
        rows = [{"id": id_, "prediction": one} for id_, one in zip(given.ids, given.predictions, strict=True)]
        return _encode({"model": None, "version": None, "predictions": rows}), _PLAIN
    return given.model.encode_predictions(given.answers, given.ids, given.errors), _PLAIN


_PLAIN: tuple[Header, ...] = (JSON,)


def count_rows(body: bytes) -> int:
    """How many rows a plain body has, where there is no model to read them.

    Raises
    ------
    BodyError
        It is not of that form.
    """
    try:
        given = _SHAPE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body cannot be read: {error}"[:300]) from None
    if given.rows:
        return len(given.rows)
    return len(next(iter(given.columns.values()), ())) if given.columns else 0


class _Shape(msgspec.Struct):
    rows: list[msgspec.Raw] = []
    columns: dict[str, list[msgspec.Raw]] = {}


_SHAPE = msgspec.json.Decoder(_Shape)


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
