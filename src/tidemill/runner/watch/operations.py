"""How fast a window's answers were, how many requests failed, how many came, and how old the version is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.operations import (
    REFUSED,
    counted_in,
    measure_errors,
    measure_latency,
    measure_staleness,
    measure_traffic,
    refused_in,
    usual_of_late,
)
from tidemill.monitoring.verdict import RECENT
from tidemill.monitoring.windows import period_before
from tidemill.runner.alerts import policy_of
from tidemill.serving.counters import requests_of, totals_in
from tidemill.warehouse.control.models import get_version
from tidemill.warehouse.control.monitoring import CounterSample, load_windows, samples_over, save_sample

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.stations import Stations
    from tidemill.runner.watch.facts import Facts

_DAY = timedelta(days=1)


def sample_counters(stations: Stations, deployment: str, now: datetime) -> None:
    """Write down what the servers on this machine counted until now."""
    folder = stations.store.root.parent / "serve" / "counters"
    requests, failed, refused = requests_of(totals_in(folder), deployment)
    if requests:
        sample = CounterSample(at=now, requests=requests, failed=failed, refused=refused)
        save_sample(stations.db, deployment, sample)


def measure_operations(
    stations: Stations, settings: DeploymentSettings, window: Window, facts: Facts, *, whole: bool = True
) -> list[Measurement]:
    """The figures of a window that say nothing of what was answered; of one that is not whole, not how many came."""
    watch, version = settings.monitor, facts.main_version
    found = [_traffic(stations, settings, window, facts)] if whole else []
    found += _errors(stations, settings, window, facts)
    if version is not None:
        found.append(
            measure_latency(
                watch, answers=facts.answers, slow=facts.slow, percentile_ms=facts.percentile_ms, version=version
            )
        )
        trained = get_version(stations.db, settings.model, version).created_at
        if trained is not None:
            found.append(measure_staleness(watch, age=window.end - trained, version=version))
    return found


def _errors(stations: Stations, settings: DeploymentSettings, window: Window, facts: Facts) -> list[Measurement]:
    """The log knows what was answered, counters know what failed. An answered request has a row or more in the log."""
    samples = samples_over(stations.db, settings.name, window.start, window.end)
    logged = facts.answers + facts.fallbacks
    requests, failed = counted_in(window, samples)
    refused = refused_in(window, samples)
    others = failed + (refused or 0)
    answered = min(logged, requests - others) if requests > others else logged
    found = [measure_errors(settings.monitor, requests=answered + failed, failed=failed + facts.fallbacks)]
    if refused is not None:
        found.append(measure_errors(settings.monitor, requests=answered + others, failed=refused, subject=REFUSED))
    return found


def _traffic(stations: Stations, settings: DeploymentSettings, window: Window, facts: Facts) -> Measurement:
    """Beside the same period before; in a first season beside the windows before, where none at all is told at once."""
    watch, least = settings.monitor, settings.monitor.min_traffic
    seasonal = _answers(stations, settings, period_before(window, watch.season))
    if seasonal is not None:
        return measure_traffic(answers=facts.answers, before=seasonal, least=least)
    last = _answers(stations, settings, period_before(window, watch.window))
    if last and not facts.answers:
        return measure_traffic(answers=0, before=last, least=least)
    far = policy_of(settings).late_windows() * watch.window
    rows = load_windows(stations.db, settings.name, since=window.start - far, until=window.start)
    shorter = watch.window < _DAY
    day_before = _answers(stations, settings, period_before(window, _DAY)) if shorter else None
    usual = usual_of_late([row.answers for row in reversed(rows)], day_before)
    return measure_traffic(answers=facts.answers, before=usual, least=least, reference=RECENT)


def _answers(stations: Stations, settings: DeploymentSettings, window: Window) -> int | None:
    """The answers of a window, by its start; None where it was not measured."""
    rows = load_windows(stations.db, settings.name, since=window.start, until=window.end)
    return next((row.answers for row in rows if row.start == window.start), None)
