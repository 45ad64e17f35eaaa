"""``GET /metrics``: the counters of all workers as Prometheus reads them. Made when somebody asks, never before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tidemill.api.context import Context
from tidemill.api.health import degraded
from tidemill.api.request import Request, Response
from tidemill.serving.counters import BOUNDS_S, SEPARATOR, Totals

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


async def metrics(ctx: Context, _: Request) -> Response:
    """Everything that is counted."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    registry = CollectorRegistry()
    registry.register(_Once(list(_families(ctx))))
    ProcessCollector(registry=registry)
    return Response(200, ((b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()),), generate_latest(registry))


def gauges(ctx: Context) -> dict[str, float]:
    """What one worker adds to the gauges."""
    passed = sum(one.passed_over for one in ctx.live.deployments.values())
    return {
        "queue": float(ctx.requests()),
        "log_failures": float(ctx.log.failures),
        "shadow_passed_over": float(passed),
        "degraded": float(bool(degraded(ctx))),
    }


class _Once:
    """A collector of families that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families."""
        return iter(self._families)


def _families(ctx: Context) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    totals = ctx.counters.everyone(gauges(ctx))
    requests = CounterMetricFamily(
        "tidemill_requests", "Requests by deployment and status code.", labels=["deployment", "code"]
    )
    for key, count in sorted(totals.requests.items()):
        requests.add_metric(key.split(SEPARATOR), count)
    yield requests
    seconds = HistogramMetricFamily(
        "tidemill_request_seconds", "Time from reading a request to its answer.", labels=["deployment"]
    )
    for name in sorted(totals.seconds):
        seconds.add_metric([name], _buckets(totals, name), totals.sums[name])
    yield seconds
    rows = CounterMetricFamily("tidemill_predictions", "Rows answered.", labels=["deployment", "version", "route"])
    for key, count in sorted(totals.predictions.items()):
        rows.add_metric(key.split(SEPARATOR), count)
    yield rows
    share = GaugeMetricFamily(
        "tidemill_rollout_share", "Share of the traffic a version has.", labels=["deployment", "version"]
    )
    ready = GaugeMetricFamily("tidemill_deployment_ready", "Whether a version can answer.", labels=["deployment"])
    for one in ctx.live.deployments.values():
        for arm in (one.standing.champion, one.standing.challenger):
            if arm is not None:
                share.add_metric([one.name, str(arm.model.version)], arm.share)
        ready.add_metric([one.name], float(one.champion is not None and not one.stopped))
    yield share
    yield ready
    yield GaugeMetricFamily("tidemill_queue_depth", "Requests in work or waiting.", value=totals.gauges["queue"])
    yield CounterMetricFamily(
        "tidemill_log_failures", "Writes of the prediction log that failed.", value=totals.gauges["log_failures"]
    )
    yield CounterMetricFamily(
        "tidemill_shadow_passed_over",
        "Requests that the shadow had no time for.",
        value=totals.gauges["shadow_passed_over"],
    )
    yield GaugeMetricFamily(
        "tidemill_degraded", "Workers that answer although something is wrong.", value=totals.gauges["degraded"]
    )


def _buckets(totals: Totals, name: str) -> list[tuple[str, float]]:
    found, so_far = [], 0
    for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], totals.seconds[name], strict=True):
        so_far += count
        found.append((bound, float(so_far)))
    return found
