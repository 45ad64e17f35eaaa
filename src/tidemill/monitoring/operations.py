"""Whether a deployment answers as it should, whatever it says: how fast, how often not, how much, how old."""

from __future__ import annotations

from datetime import timedelta

from tidemill.core.chance import binomial_upper, wilson
from tidemill.core.monitor import MonitorSettings
from tidemill.monitoring.measurement import Measurement

CONFIDENCE = 0.95
NONE_AT_ALL = 0.001  # less than this share of the usual traffic is none,
QUIET = 0.1  # which chance must not have made of traffic of this share
SLOW_SHARE = 0.01  # a 99th percentile is above its limit when more than this share of the answers is


def measure_latency(
    settings: MonitorSettings, *, answers: int, slow: int, percentile_ms: float | None, version: int | None
) -> Measurement:
    """The 99th percentile of the time answers took.

    Parameters
    ----------
    slow
        Answers that took longer than the limit.
    """
    return Measurement(
        family="latency",
        subject="latency_ms",
        test="99th percentile",
        reference="limit",
        version=version,
        value=percentile_ms,
        limit=settings.max_latency_ms,
        p_value=binomial_upper(slow, answers, SLOW_SHARE) if answers else None,
        rows=answers,
    )


def measure_errors(settings: MonitorSettings, *, requests: int, failed: int) -> Measurement:
    """The share of requests that were not answered, or answered by the fallback."""
    share = failed / requests if requests else None
    low, high = (None, None) if share is None else wilson(share, requests, confidence=CONFIDENCE)
    return Measurement(
        family="errors",
        subject="error_share",
        test="share",
        reference="limit",
        value=share,
        low=low,
        high=high,
        limit=settings.max_error_share,
        p_value=binomial_upper(failed, requests, settings.max_error_share) if requests else None,
        rows=requests,
    )


def measure_traffic(*, answers: int, before: int, least: float) -> Measurement:
    """How many fewer answers there were than in the same period before, as a share of those; 0 when there were more.

    The p-value is how often counts are so far apart when the rate is the least share that is allowed (both Poisson).

    Parameters
    ----------
    least
        The share of the answers before that is enough; 0 minds only none at all.
    """
    return Measurement(
        family="traffic",
        subject="answers",
        test="shortfall",
        reference="previous",
        value=max(0.0, 1 - answers / before) if before else None,
        limit=1 - max(least, NONE_AT_ALL),
        p_value=binomial_upper(before, answers + before, 1 / (1 + max(least, QUIET))) if before else None,
        rows=answers,
        reference_rows=before,
        note="no answers at all" if before and not answers else "",
    )


def measure_staleness(settings: MonitorSettings, *, age: timedelta, version: int | None) -> Measurement:
    """How many days ago the version was trained."""
    day = timedelta(days=1)
    return Measurement(
        family="staleness",
        subject="age_days",
        test="age",
        reference="limit",
        version=version,
        value=age / day,
        limit=settings.max_age / day if settings.max_age else None,
    )
