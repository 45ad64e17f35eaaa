"""Probes: whether the process lives, whether it should get requests, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from tidemill.api.context import Context
from tidemill.api.request import Request, Response, json_response

PROBES = frozenset({"/livez", "/readyz", "/ping", "/health", "/v2/health/live", "/v2/health/ready"})
"""These are answered however many requests wait, without a token, for any host."""


def degraded(ctx: Context) -> dict[str, str]:
    """What does not work although requests are answered, in words; of the parts beside the server too."""
    problems = {**ctx.live.troubles, **ctx.live.problems}
    if ctx.log.failures:
        problems["prediction log"] = f"{ctx.log.failures} writes failed: {ctx.log.last_failure}"
    return problems


def is_ready(ctx: Context) -> bool:
    """Whether requests should be sent here: not while it drains, nor while a deployment cannot answer."""
    return not ctx.draining and ctx.live.ready


async def livez(_: Context, __: Request) -> Response:
    """The process answers: neither the database nor a model matters."""
    return json_response({"status": "live"})


async def readyz(ctx: Context, _: Request) -> Response:
    """Whether requests should be sent here."""
    if ctx.draining:
        return json_response({"status": "draining"}, status=503, headers=((b"retry-after", b"1"),))
    if not ctx.live.ready:
        return json_response({"status": "not ready"}, status=503, headers=((b"retry-after", b"1"),))
    return json_response({"status": "degraded" if degraded(ctx) else "ready"})


async def healthz(ctx: Context, _: Request) -> Response:
    """Everything known: deployments, their versions and stages, and what is wrong."""
    ready = is_ready(ctx)
    told: dict[str, Any] = {
        "status": "draining"
        if ctx.draining
        else "not ready"
        if not ready
        else "degraded"
        if degraded(ctx)
        else "ready",
        "problems": degraded(ctx),
        "requests_in_work": ctx.requests(),
        "log": {"failures": ctx.log.failures, "last_failure": ctx.log.last_failure},
        "deployments": {one.name: standing(one) for one in ctx.live.deployments.values()},
    }
    return json_response(told, status=200 if ready else 503)


def standing(one: Any) -> dict[str, Any]:
    """How a deployment stands in this worker."""
    now = one.standing
    return {
        "champion": None if now.champion is None else now.champion.model.version,
        "challenger": None if now.challenger is None else now.challenger.model.version,
        "stage": now.stage,
        "share": now.share,
        "held": now.held,
        "stopped": now.stopped,
        "problem": now.problem,
    }
