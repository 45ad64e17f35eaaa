"""Answers in the shadow are logged beside those that users saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.api.context import Context
from tidemill.api.logged import logged
from tidemill.core.errors import TransientError
from tidemill.serving.log.records import PredictionRecord, encode

if TYPE_CHECKING:
    from tidemill.serving.live_deployment import Mirrored
    from tidemill.serving.online.answers import Answers
    from tidemill.serving.online.model import OnlineModel, Parsed
    from tidemill.serving.shadow import Tell


def tell_log(ctx: Context) -> Tell:
    """What `Live` tells of the shadow's answers goes to this worker's log."""

    def tell(model: OnlineModel, parsed: Parsed, answers: Answers, mirrored: Mirrored, seconds: float) -> None:
        deployment = next((one for one in ctx.live.deployments.values() if one.challenger is model), None)
        if deployment is None or deployment.settings.log == "off":
            return
        settings, now_ns = deployment.settings, ctx.now_ns()
        inputs, keys = logged(settings, model, parsed, parsed.n, ctx.log_key)
        record = PredictionRecord(
            id=f"{mirrored.request}-shadow",
            at_ns=now_ns,
            deployment=settings.name,
            model=model.name,
            version=model.version,
            digest=model.digest,
            route="shadow",
            share=0.0,
            n=parsed.n,
            keys=list(keys),
            inputs=inputs,
            predictions=answers.predictions,
            probabilities=answers.probabilities,
            classes=model.classes,
            latency_us=int(seconds * 1e6),
        )
        try:
            ctx.log.append(encode(record))
        except TransientError:
            return  # counted by the log; nobody waits for this answer

    return tell
