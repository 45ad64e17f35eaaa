"""False alarms and delays on simulated months, beside the rules of textbooks: ``python -m benchmarks alarms``.

Its tables and its picture go to docs/false-alarms.md. The months are drawn from fixed seeds: another run gives the same
figures.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.alarms_picture import picture
from benchmarks.alarms_run import first_alarm, follow, new_alerts
from benchmarks.alarms_world import FAULTS, Apart, Fault, Traffic, World, coarse, distance, draw, moved
from benchmarks.common import Options, Result, Target, say

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "false-alarms.md"
BEFORE, DAYS, AFTER = 8, 30, 20
ROWS, FEATURES = (100, 1_000, 10_000), (10, 50)
BUDGET = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Alerts of months in which nothing happened.

    Parameters
    ----------
    textbook
        Alerts a month of KS at 0.05 and of PSI over 0.2 on the same traffic: windows in which any feature, or the
        predictions, is beyond.
    thresholds
        What these rules would have to say for one false alert a month: a p-value, an index.
    """

    name: str
    months: int
    pages: int
    diagnoses: int
    textbook: tuple[float, float]
    thresholds: tuple[float, float]

    @property
    def bound(self) -> float:
        """The 95 % upper confidence bound of pages a month."""
        return float(stats.chi2.ppf(0.95, 2 * (self.pages + 1))) / 2 / self.months


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How often a fault is found within twenty windows, and the median delay of those times, in windows."""

    fault: str
    rows: int
    features: int
    found: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Traffic of months in which nothing happens.

    Parameters
    ----------
    floors
        Whether small effects do not matter, as by default; without that p-values alone keep the budget.
    apart
        How far distributions are apart.
    promised
        Whether the budget is promised there: every window is drawn from one distribution.
    """

    name: str
    world: World
    months: int = 200
    floors: bool = True
    promised: bool = True
    apart: Apart = distance


def run(options: Options) -> Result:
    """All tables."""
    cases = [replace(one, months=2 if options.quick else one.months) for one in _cases()]
    quiet = [_quiet(one) for one in cases]
    delays = [
        _delay(fault, case.world, 2 if options.quick else 40, one.thresholds)
        for case, one in zip(cases[:6], quiet, strict=False)
        for fault in FAULTS
    ]
    if not options.quick:
        (DOCS / "false-alarms.svg").write_text(picture(quiet, delays), encoding="utf-8")
    promised = [one for one, case in zip(quiet, cases, strict=True) if case.promised]
    worst = max(promised, key=lambda one: one.bound)
    unfound = [one for one in delays if one.rows >= 1_000 and one.found["tidemill"][0] < 1.0]
    targets = [
        Target(what=f"pages a month at 95 % confidence, worst: {worst.name}", value=worst.bound, limit=BUDGET, unit=""),
        Target(what="faults not always found from 1,000 rows a window", value=len(unfound), limit=0, unit=""),
    ]
    return Result(job="alarms", lines=[*_quiet_table(quiet), "", *_delay_table(delays)], targets=targets, page=PAGE)


def _cases() -> Iterator[Case]:
    every = "every effect matters"
    worlds = [World(features=features, rows=rows) for features in FEATURES for rows in ROWS]
    for world in worlds:
        yield Case(name=f"{world.features} features, {world.rows:,} rows", world=world)
    for world in worlds:
        yield Case(name=f"{world.features} features, {world.rows:,} rows, {every}", world=world, floors=False)
    plain = World(features=10, rows=1_000)
    together = replace(plain, rho=0.5)
    yield Case(name="features go together (0.5)", world=together)
    yield Case(name=f"features go together (0.5), {every}", world=together, floors=False)
    for world in worlds[:3]:
        name = f"{world.features} features, {world.rows:,} rows, Wasserstein"
        yield Case(name=name, world=world, apart=moved)
    for world in worlds[:3]:
        name = f"{world.features} features, {world.rows:,} rows, Wasserstein, {every}"
        yield Case(name=name, world=world, apart=moved, floors=False)
    small = replace(plain, reference_rows=1_000)
    yield Case(name=f"training no larger than a window, {every}", world=small, floors=False)
    large = replace(plain, rows=10_000)
    yield Case(name="weekends 0.3 away", world=replace(large, weekly=0.3), months=100, promised=False)
    wobbling = replace(large, wobble=0.1)
    yield Case(name="each day's means wobble by 0.1", world=wobbling, months=100, promised=False)
    yield Case(name=f"the same, {every}", world=wobbling, months=100, floors=False, promised=False)
    hourly = replace(plain, rows=300, daily=0.5, length=timedelta(hours=1))
    yield Case(name="hours, day and night 0.5 from the mean", world=hourly, months=20, promised=False)


def _quiet(case: Case) -> Quiet:
    world, months = case.world, case.months
    random = np.random.default_rng([world.features, world.rows, months])
    days = world.length == timedelta(days=1)
    # Of days, those before the month count too: an alert may stand from the start. Hours need a week to look back at.
    before = BEFORE if days else 8 * 24
    windows = round(timedelta(days=DAYS) / world.length)
    pages = diagnoses = 0
    least, most = [], []
    for _ in range(months):
        traffic = draw(world, before + windows, random)
        found = new_alerts(follow(traffic, floors=case.floors, apart=case.apart), after=0 if days else before)
        pages, diagnoses = pages + found["page"], diagnoses + found["diagnosis"]
        least.append(smallest_p(traffic)[before:])
        most.append(largest_index(traffic)[before:])
    p, index = np.concatenate(least), np.concatenate(most)
    say(f"  {case.name}: {pages} pages, {diagnoses} diagnoses in {months} months")
    return Quiet(
        name=case.name,
        months=months,
        pages=pages,
        diagnoses=diagnoses,
        textbook=(float((p < 0.05).sum()) / months, float((index > 0.2).sum()) / months),
        thresholds=(float(np.quantile(p, BUDGET / windows)), float(np.quantile(index, 1 - BUDGET / windows))),
    )


def _delay(fault: Fault, world: World, repeats: int, thresholds: tuple[float, float]) -> Delay:
    random = np.random.default_rng([world.features, world.rows, 7])
    delays: dict[str, list[int | None]] = {name: [] for name in RULES}
    for _ in range(repeats):
        traffic = draw(world, BEFORE + AFTER, random, fault, at=BEFORE)
        happened = follow(traffic)
        p, index = smallest_p(traffic)[BEFORE:], largest_index(traffic)[BEFORE:]
        delays["tidemill"].append(first_alarm(happened, after=BEFORE))
        delays["ks"].append(_first(p < 0.05))
        delays["psi"].append(_first(index > 0.2))
        delays["ks, one a month"].append(_first(p < thresholds[0]))
        delays["psi, one a month"].append(_first(index > thresholds[1]))
    say(f"  {fault.name}, {world.features} features, {world.rows} rows: {delays['tidemill'][:10]}")
    found = {}
    for name, given in delays.items():
        known = [one for one in given if one is not None]
        found[name] = (len(known) / len(given), statistics.median(known) if known else float("nan"))
    return Delay(fault=fault.name, rows=world.rows, features=world.features, found=found)


RULES = ("tidemill", "ks", "psi", "ks, one a month", "psi, one a month")


def _first(breaches: np.ndarray) -> int | None:
    return int(breaches.argmax()) + 1 if breaches.any() else None


def smallest_p(traffic: Traffic) -> np.ndarray:
    """The smallest p-value of Kolmogorov and Smirnov over features and predictions, in forty bins, by window."""
    both = np.concatenate([traffic.features, traffic.scores[:, None]], axis=1)
    reference = np.concatenate([traffic.reference, traffic.score_reference[None]])
    n, m = both.sum(axis=-1), reference.sum(axis=-1)
    gap = np.abs(both.cumsum(axis=-1) / n[..., None] - reference.cumsum(axis=-1) / m[..., None]).max(axis=-1)
    return np.asarray(stats.kstwobign.sf(gap * np.sqrt(n * m / (n + m))).min(axis=1))


def largest_index(traffic: Traffic) -> np.ndarray:
    """The largest population stability index over features, predictions, missing values and new categories."""
    world = traffic.world
    both = np.concatenate([traffic.features, traffic.scores[:, None]], axis=1)
    reference = np.concatenate([traffic.reference, traffic.score_reference[None]])
    counted = _psi(coarse(both), coarse(reference)).max(axis=1)
    pair = np.stack([traffic.missing, world.rows - traffic.missing], axis=-1)
    missing = np.stack([traffic.missing_reference, world.reference_rows - traffic.missing_reference], axis=-1)
    new = np.stack([traffic.new, world.rows - traffic.new], axis=-1)
    old = np.array([50, world.reference_rows - 50])
    return np.max([counted, _psi(pair, missing).max(axis=1), _psi(new, old)], axis=0)


def _psi(counts: np.ndarray, reference: np.ndarray) -> np.ndarray:
    # Half a row in each bin keeps empty ones finite.
    p = (counts + 0.5) / (counts.sum(axis=-1, keepdims=True) + 0.5 * counts.shape[-1])
    q = (reference + 0.5) / (reference.sum(axis=-1, keepdims=True) + 0.5 * counts.shape[-1])
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def _quiet_table(quiet: list[Quiet]) -> list[str]:
    lines = [
        "Alerts a month with nothing wrong; the budget is 1 page. The last column is the PSI for one alarm a month.",
        "",
        "| traffic | months | pages | pages a month, at most (95 %) | diagnoses | KS 0.05 | PSI 0.2 | PSI for 1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.months} | {one.pages} | {one.bound:.3f} | {one.diagnoses / one.months:.2f} | "
        f"{one.textbook[0]:.1f} | {one.textbook[1]:.1f} | {one.thresholds[1]:.3f} |"
        for one in quiet
    ]
    return lines


def _delay_table(delays: list[Delay]) -> list[str]:
    lines = [
        "How often a fault is found within 20 windows, and the median delay (1: in the window it begins with).",
        "",
        "| fault | features | rows a window | Tidemill | KS 0.05 | PSI 0.2 | KS, 1 a month | PSI, 1 a month |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in delays:
        cells = [_cell(*one.found[name]) for name in RULES]
        lines.append(f"| {one.fault} | {one.features} | {one.rows:,} | {' | '.join(cells)} |")
    return lines


def _cell(share: float, delay: float) -> str:
    if share == 0.0:
        return "never"
    return f"{delay:g}" if share == 1.0 else f"{share:.0%}, {delay:g}"
