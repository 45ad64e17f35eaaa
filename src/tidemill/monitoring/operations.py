"""Whether a deployment answers as it should, whatever it says: how fast, how often not, how much, how old."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from tidemill.core.chance import binomial_upper, wilson
from tidemill.core.monitor import MonitorSettings
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.verdict import PREVIOUS
from tidemill.warehouse.control.monitoring import CounterSample

CONFIDENCE = 0.95
NONE_AT_ALL = 0.001  # less than this share of the usual traffic is none,
QUIET = 0.1  # which chance must not have made of traffic of this share
LEAST_LATE = 3  # windows before, fewer of which are not what is usual
FAILED, REFUSED = "error_share", "refused_share"
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


def measure_errors(settings: MonitorSettings, *, requests: int, failed: int, subject: str = FAILED) -> Measurement:
    """The share of requests that were not answered, or answered by the fallback; or of those refused for their rows."""
    share = failed / requests if requests else None
    low, high = (None, None) if share is None else wilson(share, requests, confidence=CONFIDENCE)
    return Measurement(
        family="errors",
        subject=subject,
        test="share",
        reference="limit",
        value=share,
        low=low,
        high=high,
        limit=settings.max_error_share,
        p_value=binomial_upper(failed, requests, settings.max_error_share) if requests else None,
        rows=requests,
    )


def counted_in(window: Window, samples: Sequence[CounterSample]) -> tuple[int, int]:
    """How many requests came in a window, and how many of them failed, by counters that were read now and then.

    What was counted between two readings is spread evenly over the time between them, so that windows side by side
    share it and none of it counts twice. A counter that shows less than before began anew.

    Parameters
    ----------
    samples
        In order of time, from the last before the window to the first after it, as far as there are.
    """
    pairs = list(itertools.pairwise(samples))
    return (
        sum(_share(window, (a.at, a.requests), (b.at, b.requests)) for a, b in pairs),
        sum(_share(window, (a.at, a.failed), (b.at, b.failed)) for a, b in pairs),
    )


def refused_in(window: Window, samples: Sequence[CounterSample]) -> int | None:
    """How many requests of a window were refused for their rows; None where that was not counted."""
    read = [(one.at, one.refused) for one in samples if one.refused is not None]
    if len(read) < max(2, len(samples)):
        return None
    return sum(_share(window, before, after) for before, after in itertools.pairwise(read))


def _share(window: Window, before: tuple[datetime, int], after: tuple[datetime, int]) -> int:
    """Of what was counted between two readings, the part of a window."""
    (begin, first), (end, last) = before, after
    more = last - first if last >= first else last

    def until(moment: datetime) -> int:
        part = (min(max(moment, begin), end) - begin) / (end - begin)
        return math.floor(first + more * part)

    return until(window.end) - until(window.start)


def measure_traffic(*, answers: int, before: int, least: float, reference: str = PREVIOUS) -> Measurement:
    """How many fewer answers there were than before, as a share of those; 0 when there were more.

    The p-value is how often counts are so far apart when the rate is the least share that is allowed (both Poisson).

    Parameters
    ----------
    before
        The answers of the same period before; with `RECENT` those that are usual of late.
    least
        The share of the answers before that is enough; 0 minds only none at all.
    """
    return Measurement(
        family="traffic",
        subject="answers",
        test="shortfall",
        reference=reference,
        value=max(0.0, 1 - answers / before) if before else None,
        limit=1 - max(least, NONE_AT_ALL),
        p_value=binomial_upper(before, answers + before, 1 / (1 + max(least, QUIET))) if before else None,
        rows=answers,
        reference_rows=before,
        note="no answers at all" if before and not answers else "",
    )


def usual_of_late(newest: Sequence[int], day_before: int | None) -> int:
    """The answers that a window of a first season is compared with; 0 where too little is known.

    Parameters
    ----------
    newest
        The answers of the windows before, the newest first: their middle one counts. It does not follow a fall before
        that has lasted for half of them.
    day_before
        Those of the same time a day before, where that is known: of nights and days off there are fewer.
    """
    if len(newest) < LEAST_LATE:
        return 0
    middle = sorted(newest)[len(newest) // 2]
    return middle if day_before is None else min(middle, day_before)


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
