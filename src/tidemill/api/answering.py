"""The way of a request from its body to its answer: read, choose a version, answer, log. The same for each protocol.

A newer version that fails is never the client's trouble: the champion answers in its place, and where no version can,
the deployment's fallback does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tidemill.api.context import Context
from tidemill.api.ids import row_ids
from tidemill.api.logged import logged, trace_id
from tidemill.api.request import ClientGone, Header, Request, Response
from tidemill.core.errors import (
    DeadlineError,
    InputError,
    TooLargeError,
    TransientError,
    UnavailableError,
)
from tidemill.serving.live import Arm, LiveDeployment
from tidemill.serving.log.records import PredictionRecord, encode

if TYPE_CHECKING:
    from tidemill.serving.online.answers import Answers, RowError
    from tidemill.serving.online.model import OnlineModel, Parsed

INLINE_BYTES = 256 << 10
"""Larger bodies are worked on by a thread, so that small ones need not wait for them."""

FELL_BACK: Header = (b"x-tidemill-fallback", b"true")

_encode = msgspec.json.Encoder().encode


class Answered(NamedTuple):
    """What a writer of answers is given. ``model`` is None, and all predictions alike, where the fallback answers."""

    model: OnlineModel | None
    parsed: Parsed | None
    answers: Answers | None
    id: str
    predictions: Sequence[Any]
    errors: Sequence[RowError | None] = ()

    @property
    def ids(self) -> list[str]:
        """An id a row."""
        return row_ids(self.id, len(self.predictions))


Read = Callable[["OnlineModel", str, bool], "Parsed"]
Write = Callable[[Answered], tuple[bytes, tuple[Header, ...]]]


class Ask(NamedTuple):
    """One request to a deployment, in the terms of its protocol.

    Parameters
    ----------
    read
        Reads the body for a version: the version, the key's column, and whether errors of single rows are kept.
    write
        Writes the answer.
    rows
        How many rows the body has, for the fallback where no version is there to read it.
    version
        The version that the client names, in the place of the one that routing chooses.
    slow
        Writing the answer takes long enough for a thread.
    """

    deployment: LiveDeployment
    read: Read
    write: Write
    rows: Callable[[], int]
    each: bool = False
    version: OnlineModel | None = None
    slow: bool = False


@dataclass(slots=True)
class _Done:
    body: bytes
    headers: tuple[Header, ...]
    ticket: int | None
    model: str
    version: int
    route: str
    rows: int
    parsed: Parsed | None = None
    answers: Answers | None = None
    id: str = ""
    seen: list[tuple[Arm, float, bool]] = field(default_factory=list)


async def answer(ctx: Context, request: Request, ask: Ask) -> Response:
    """Answer a request, and log it before it is answered: large ones in a thread, durable ones once they are on disk.

    Raises
    ------
    InputError
        The rows are not what the model takes.
    DeadlineError
        It waited longer than it may; nothing was logged.
    UnavailableError
        No version answers and there is no fallback, or a durable log cannot be written.
    """
    if fits_now(ask, request):
        return answer_now(ctx, request, ask)
    check_deadline(request)
    if len(request.body) <= INLINE_BYTES and not ask.slow:
        done = _carry_out(ctx, request, ask)
    else:
        done = await asyncio.get_running_loop().run_in_executor(ctx.pool, _carry_out, ctx, request, ask)
    if done.ticket is not None and ask.deployment.settings.log == "durable":
        try:
            await ctx.log.synced(done.ticket)
        except TransientError as error:
            raise UnavailableError(error.message, hint=error.hint) from error
    return _finish(ctx, ask, done)


def fits_now(ask: Ask, request: Request) -> bool:
    """Whether a request can be answered at once, with nothing to wait for."""
    return len(request.body) <= INLINE_BYTES and not ask.slow and ask.deployment.settings.log != "durable"


def answer_now(ctx: Context, request: Request, ask: Ask) -> Response:
    """Answer a request that `fits_now`; raises what `answer` raises."""
    check_deadline(request)
    return _finish(ctx, ask, _carry_out(ctx, request, ask))


def _finish(ctx: Context, ask: Ask, done: _Done) -> Response:
    """Count what was answered, and let the shadow have a look."""
    deployment = ask.deployment
    for arm, seconds, failed in done.seen if deployment.standing.trial else ():
        scores = () if failed or done.answers is None else done.answers.scores.tolist()
        deployment.observe(arm, seconds=seconds, error=failed, scores=scores)
    if done.route == "champion" and deployment.standing.stage == "shadow":
        _mirror(deployment, done)
    ctx.counters.predicted(deployment.name, done.version, done.route, done.rows)
    return Response(200, done.headers, done.body)


def check_deadline(request: Request) -> None:
    """Drop work that nobody waits for.

    Raises
    ------
    ClientGone
        The client left.
    DeadlineError
        The time it gave is over.
    """
    if not request.alive():
        raise ClientGone
    if time.perf_counter() > request.late_at:
        raise DeadlineError(
            "the request waited longer than it may", hint="try again, or send a larger X-Request-Timeout-Ms"
        )


def _carry_out(ctx: Context, request: Request, ask: Ask) -> _Done:
    """Everything that takes time: in the event loop for small requests, in a thread for large ones."""
    deployment = ask.deployment
    settings = deployment.settings
    began = time.perf_counter()
    reader = ask.version or deployment.champion or deployment.challenger
    if reader is None:
        return _fall_back(ctx, request, ask, None, None)
    parsed = ask.read(reader, settings.key, ask.each)
    if parsed.n > ctx.settings.max_rows:
        raise TooLargeError(
            f"the request has {parsed.n:,} rows, and at most {ctx.settings.max_rows:,} are read at once",
            hint="send them in several requests; [server] max_rows in tidemill.toml sets the bound",
            most=ctx.settings.max_rows,
        )
    seen: list[tuple[Arm, float, bool]] = []
    first = Arm(ask.version, "champion") if ask.version is not None else deployment.choose(parsed.keys[0])
    champion = deployment.standing.champion
    for arm in (first, champion if first is not champion and ask.version is None else None):
        if arm is None or deployment.stopped:
            continue
        try:
            mine = parsed if arm.model is reader else arm.model.reread(parsed, key=settings.key, each=ask.each)
            answers, errors = arm.model.answer_each(mine) if ask.each else (arm.model.answer(mine), [])
        except InputError:
            if arm.model is reader:
                raise
            seen.append((arm, time.perf_counter() - began, True))
        except Exception:  # noqa: BLE001 - the boundary of a version: whatever it raises, another answers
            seen.append((arm, time.perf_counter() - began, True))
        else:
            seconds = time.perf_counter() - began
            if ask.version is None:
                seen.append((arm, seconds, False))
            return _keep(ctx, request, ask, arm, mine, answers, errors if any(errors) else (), seconds, seen)
    return _fall_back(ctx, request, ask, reader, parsed, seen)


def _keep(
    ctx: Context,
    request: Request,
    ask: Ask,
    arm: Arm,
    parsed: Parsed,
    answers: Answers,
    errors: Sequence[RowError | None],
    seconds: float,
    seen: list[tuple[Arm, float, bool]],
) -> _Done:
    """Write the answer and its record."""
    if len(request.body) > INLINE_BYTES or ask.slow:
        check_deadline(request)
    model, now_ns = arm.model, ctx.now_ns()
    id_ = ctx.ids.next(now_ns)
    body, headers = ask.write(Answered(model, parsed, answers, id_, answers.predictions, errors))
    ticket = None
    settings = ask.deployment.settings
    if settings.log != "off":
        inputs, keys = logged(settings, model, parsed, parsed.n, ctx.log_key)
        ticket = _append(
            ctx,
            PredictionRecord(
                id=id_,
                at_ns=now_ns,
                deployment=settings.name,
                model=model.name,
                version=model.version,
                digest=model.digest,
                route=arm.route,
                share=arm.share,
                n=parsed.n,
                keys=list(keys),
                inputs=inputs,
                predictions=answers.predictions,
                # A row that was refused keeps its place: no answer, no probabilities.
                probabilities=_kept_probabilities(answers) if errors else answers.probabilities,
                classes=model.classes,
                latency_us=int(seconds * 1e6),
                trace=trace_id(request),
                principal=request.who,
            ),
            durable=settings.log == "durable",
        )
    return _Done(body, headers, ticket, model.name, model.version, arm.route, parsed.n, parsed, answers, id_, seen)


def _kept_probabilities(answers: Answers) -> list[list[float]] | None:
    return None if answers.probabilities is None else [row or [] for row in answers.probabilities]


def _fall_back(
    ctx: Context,
    request: Request,
    ask: Ask,
    reader: OnlineModel | None,
    parsed: Parsed | None,
    seen: Sequence[tuple[Arm, float, bool]] = (),
) -> _Done:
    """The declared answer, when no version gives one."""
    deployment = ask.deployment
    settings = deployment.settings
    if settings.fallback is None:
        why = "is stopped" if deployment.stopped else "has no version that can answer"
        hint = f"tidemill status shows {deployment.name}; a fallback in tidemill.toml would answer meanwhile"
        raise UnavailableError(f"deployment {deployment.name} {why}", hint=hint)
    rows = parsed.n if parsed is not None else ask.rows()
    now_ns = ctx.now_ns()
    id_ = ctx.ids.next(now_ns)
    predictions = [settings.fallback] * rows
    body, headers = ask.write(Answered(None, parsed, None, id_, predictions))
    ticket = None
    if settings.log != "off":
        inputs, keys = logged(settings, reader, parsed, rows, ctx.log_key)
        record = PredictionRecord(
            id=id_,
            at_ns=now_ns,
            deployment=settings.name,
            model=settings.model,
            version=0,
            digest="",
            route="fallback",
            share=0.0,
            n=rows,
            keys=list(keys),
            inputs=inputs,
            predictions=predictions,
            trace=trace_id(request),
            principal=request.who,
        )
        ticket = _append(ctx, record, durable=settings.log == "durable")
    return _Done(
        body, (*headers, FELL_BACK), ticket, settings.model, 0, "fallback", rows, parsed, None, id_, list(seen)
    )


def _append(ctx: Context, record: PredictionRecord, *, durable: bool) -> int | None:
    """Log a record. A buffered log that cannot be written is counted and seen, and the answer goes out."""
    try:
        return ctx.log.append(encode(record))
    except TransientError as error:
        if durable:
            raise UnavailableError(error.message, hint=error.hint) from error
        return None


def _mirror(deployment: LiveDeployment, done: _Done) -> None:
    if done.parsed is not None and done.answers is not None and not done.parsed.errors:
        deployment.mirror(done.parsed, done.answers, request=done.id)
