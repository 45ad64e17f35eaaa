"""Simulated traffic as what a monitor measures of it: counts, drawn by numpy, and the figures made of them.

A world has features (numbers, counted in forty bins; the monitor counts in ten), the predictions made of them (a
weighted sum, most of it by three features), missing values, a categorical feature that may bring new values, values
outside the range, and labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from scipy import stats

from tidemill.core.distances import compare
from tidemill.core.distribution import Distribution
from tidemill.monitoring.measurement import Measurement, Window

BINS, FINE = 10, 40
EDGES = stats.norm.ppf(np.arange(1, FINE) / FINE)
RANGE = 6.0
"""Standard deviations from the mean beyond which a value is outside the range of training."""

DISTANCE_LIMIT = 0.1
"""The limit of the Jensen-Shannon distance that `core.distances` has, too: a mean shift of about 0.24."""

ACCURACY, MISSING, NEW, HELD_OUT = 0.85, 0.01, 0.0005, 5_000
START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is planted, from a window on.

    Parameters
    ----------
    shift
        How far the three most important features move, in standard deviations.
    """

    name: str = "nothing"
    shift: float = 0.0
    new_share: float = 0.0
    null_share: float = 0.0
    flipped: float = 0.0
    times: float = 1.0


FAULTS = (
    Fault(name="mean shift of 0.3 in the top three features", shift=0.3),
    Fault(name="new category at 5 %", new_share=0.05),
    Fault(name="null burst (30 %)", null_share=0.3),
    Fault(name="10 % of labels flipped", flipped=0.1),
    Fault(name="unit error (x 100)", times=100.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How traffic is.

    Parameters
    ----------
    rho
        The correlation between any two features.
    weekly
        How far the predictions and features of a weekend stand from those of a working day, in standard deviations.
    daily
        The same between day and night, where windows are shorter than a day.
    wobble
        Standard deviation of what each window's means move by for no reason, in standard deviations of the values.
    """

    features: int
    rows: int
    reference_rows: int = 100_000
    rho: float = 0.0
    weekly: float = 0.0
    daily: float = 0.0
    wobble: float = 0.0
    length: timedelta = timedelta(days=1)

    def weights(self) -> np.ndarray:
        """How much the predictions hang on each feature: three quarters on the first three."""
        found = np.full(self.features, 0.25 / max(1, self.features - 3))
        found[:3] = 0.25
        return found

    def window(self, number: int) -> Window:
        start = START + number * self.length
        return Window(start=start, end=start + self.length)

    def season(self, number: int) -> float:
        """How far the means of a window are away by the calendar."""
        at = START + number * self.length
        weekend = self.weekly * (at.weekday() >= 5)
        return weekend + (self.daily * np.sin(2 * np.pi * at.hour / 24) if self.length < timedelta(days=1) else 0.0)


@dataclass(slots=True)
class Traffic:
    """Counts of some windows: arrays over windows, then features, then bins."""

    world: World
    features: np.ndarray
    reference: np.ndarray
    scores: np.ndarray
    score_reference: np.ndarray
    missing: np.ndarray
    missing_reference: np.ndarray
    new: np.ndarray
    outside: np.ndarray
    right: np.ndarray
    held_out: int
    figures: dict[str, np.ndarray] = field(default_factory=dict)


def draw(
    world: World, windows: int, random: np.random.Generator, fault: Fault | None = None, *, at: int = 0
) -> Traffic:
    """Draw windows; a fault is there from window ``at`` on."""
    fault = fault or Fault()
    there = np.arange(windows) >= at
    calendar = np.array([world.season(number) for number in range(windows)])
    wobble = random.normal(0.0, world.wobble, (windows, world.features)) if world.wobble else 0.0
    means = np.zeros((windows, world.features)) + calendar[:, None] + wobble
    means[:, :3] += fault.shift * there[:, None]
    scale = np.ones((windows, world.features))
    scale[:, 0] = np.where(there, fault.times, 1.0)
    features, scores, outside = _values(world, means, scale, random)
    n, m = world.rows, world.reference_rows
    week = np.array([world.season(number) for number in range(round(timedelta(days=7) / world.length))])
    reference, score_reference = _reference(world, week, random)
    null = np.full((windows, world.features), MISSING)
    null[:, 0] = np.where(there, MISSING + fault.null_share, MISSING)
    accuracy = np.where(there, ACCURACY * (1 - fault.flipped) + (1 - ACCURACY) * fault.flipped, ACCURACY)
    return Traffic(
        world=world,
        features=features,
        reference=reference,
        scores=scores,
        score_reference=score_reference,
        missing=random.binomial(n, null),
        missing_reference=random.binomial(m, MISSING, world.features),
        new=random.binomial(n, np.where(there, NEW + fault.new_share, NEW)),
        outside=outside,
        right=random.binomial(n, accuracy),
        held_out=int(random.binomial(HELD_OUT, ACCURACY)),
    )


def _values(
    world: World, means: np.ndarray, scale: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin counts of features and scores, and how many values of each feature are outside the range."""
    windows, count = means.shape
    unit = world.weights() / np.sqrt(_variance(world))
    if world.rho == 0.0:
        # Independent of each other: counts are multinomial, no row need be drawn.
        features = random.multinomial(world.rows, _shares(means * scale, scale))
        deviation = np.sqrt((scale**2) @ unit**2)
        scores = random.multinomial(world.rows, _shares((means * scale) @ unit, deviation))
        beyond = stats.norm.sf((RANGE - means * scale) / scale) + stats.norm.cdf((-RANGE - means * scale) / scale)
        return features, scores, random.binomial(world.rows, beyond)
    features = np.empty((windows, count, FINE), dtype=int)
    scores = np.empty((windows, FINE), dtype=int)
    outside = np.empty((windows, count), dtype=int)
    for number in range(windows):
        own = random.standard_normal((world.rows, count))
        common = random.standard_normal((world.rows, 1))
        x = (np.sqrt(1 - world.rho) * own + np.sqrt(world.rho) * common + means[number]) * scale[number]
        bins = np.searchsorted(EDGES, x) + np.arange(count) * FINE
        features[number] = np.bincount(bins.ravel(), minlength=count * FINE).reshape(count, FINE)
        scores[number] = np.bincount(np.searchsorted(EDGES, x @ unit), minlength=FINE)
        outside[number] = (np.abs(x) > RANGE).sum(axis=0)
    return features, scores, outside


def _shares(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The share of a normal distribution in each bin."""
    cuts = stats.norm.cdf((EDGES - np.asarray(mean)[..., None]) / np.asarray(deviation)[..., None])
    return np.diff(cuts, axis=-1, prepend=0.0, append=1.0)


def _variance(world: World) -> float:
    weights = world.weights()
    return float((1 - world.rho) * (weights**2).sum() + world.rho * weights.sum() ** 2)


def _reference(world: World, season: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Training rows: of the whole season."""
    lift = world.weights().sum() / np.sqrt(_variance(world))
    one = np.ones_like(season)
    features, score = _shares(season, one).mean(axis=0), _shares(lift * season, one).mean(axis=0)
    m = world.reference_rows
    return random.multinomial(m, features, world.features), random.multinomial(m, score)


Apart = Callable[[np.ndarray, np.ndarray], "Figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Arrays of one kind of figure: value, interval, p-value."""

    value: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    p: np.ndarray


def coarse(counts: np.ndarray) -> np.ndarray:
    """The bins that the monitor counts in."""
    return np.asarray(counts.reshape(*counts.shape[:-1], BINS, -1).sum(axis=-1))


def distance(counts: np.ndarray, reference: np.ndarray) -> Figures:
    """The Jensen-Shannon distance to base 2, with the p-value of the chi-squared test; it has no interval."""
    counts, reference = np.broadcast_arrays(coarse(counts), coarse(reference))
    n, m = counts.sum(axis=-1, keepdims=True), reference.sum(axis=-1, keepdims=True)
    p, q = counts / n, reference / m
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(p * np.log2(p / middle)) + np.nan_to_num(q * np.log2(q / middle))
    value = np.sqrt(np.maximum(parts.sum(axis=-1) / 2, 0.0))
    pooled = np.maximum((counts + reference) / (n + m), 1e-300)
    square = ((counts - pooled * n) ** 2 / (pooled * n)).sum(-1) + ((reference - pooled * m) ** 2 / (pooled * m)).sum(
        -1
    )
    degrees = np.maximum((counts + reference > 0).sum(axis=-1) - 1, 1)
    return Figures(value=value, low=None, high=None, p=stats.chi2.sf(square, degrees))


def share(count: np.ndarray, rows: int, reference: np.ndarray, reference_rows: int) -> Figures:
    """The difference of two shares, Newcombe's interval, and the p-value of two counts given their sum."""
    value = count / rows - reference / reference_rows
    low, high = _wilson(count, rows)
    reference_low, reference_high = _wilson(reference, reference_rows)
    below = np.sqrt((count / rows - low) ** 2 + (reference_high - reference / reference_rows) ** 2)
    above = np.sqrt((high - count / rows) ** 2 + (reference / reference_rows - reference_low) ** 2)
    total, part = count + reference, rows / (rows + reference_rows)
    more, fewer = stats.binom.sf(count - 1, total, part), stats.binom.cdf(count, total, part)
    return Figures(value=value, low=value - below, high=value + above, p=np.minimum(1.0, 2 * np.minimum(more, fewer)))


def _wilson(count: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    z, at = 1.96, np.asarray(count) / rows
    middle = (at + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(at * (1 - at) / rows + z**2 / (4 * rows**2))
    return middle - half, middle + half


def moved(counts: np.ndarray, reference: np.ndarray) -> Figures:
    """How far values moved, in deviations, by `core.distances`: what a monitor judges of numbers."""
    counts, reference = np.broadcast_arrays(coarse(counts), coarse(reference))
    flat = [
        compare(_distribution(old), _distribution(new), ["wasserstein"])[0]
        for old, new in zip(reference.reshape(-1, BINS), counts.reshape(-1, BINS), strict=True)
    ]
    value, p = (np.array([getattr(one, name) for one in flat]) for name in ("value", "p_value"))
    shape = counts.shape[:-1]
    return Figures(value=value.reshape(shape), low=None, high=None, p=p.reshape(shape))


def _distribution(counts: np.ndarray) -> Distribution:
    """Counts as a distribution; its mean is that of normal values in these bins."""
    edges = tuple(float(edge) for edge in EDGES[FINE // BINS - 1 :: FINE // BINS])
    density = stats.norm.pdf(np.array([-np.inf, *edges, np.inf]))
    mean = float(counts @ (density[:-1] - density[1:]) * BINS / counts.sum())
    given = tuple(map(int, counts))
    return Distribution(column="x", kind="number", counts=given, edges=edges, mean=mean, deviation=1.0)


def measured(
    traffic: Traffic, *, floors: bool = True, apart: Apart = distance
) -> Iterator[tuple[Window, list[Measurement]]]:
    """What a monitor would hand over of each window: the predictions against the week before too.

    Parameters
    ----------
    floors
        Without them every effect matters, and nothing but p-values keeps the budget.
    apart
        How far distributions are apart: `distance` or `moved`.
    """
    world = traffic.world
    season = max(1, round(timedelta(days=7) / world.length))
    names = [f"x{number + 1}" for number in range(world.features)]
    weights = world.weights()
    features = apart(traffic.features, traffic.reference)
    scores = apart(traffic.scores, traffic.score_reference)
    before = apart(traffic.scores[season:], traffic.scores[:-season]) if len(traffic.scores) > season else None
    missing = share(traffic.missing, world.rows, traffic.missing_reference, world.reference_rows)
    new = share(traffic.new, world.rows, np.full_like(traffic.new, NEW * world.reference_rows), world.reference_rows)
    outside = _wilson(traffic.outside, world.rows)
    drop = _accuracy(traffic)
    both = {"rows": world.rows, "reference_rows": world.reference_rows}

    def one(figures: Figures, at: tuple[int, ...], **more: Any) -> Measurement:
        if not floors:
            more["limit"] = None
            return Measurement(value=abs(float(figures.value[at])), p_value=float(figures.p[at]), **more)
        value, p = float(figures.value[at]), float(figures.p[at])
        low = None if figures.low is None else float(figures.low[at])
        high = None if figures.high is None else float(figures.high[at])
        return Measurement(value=value, low=low, high=high, p_value=p, **more)

    for w in range(len(traffic.scores)):
        found = []
        for f, name in enumerate(names):
            about: dict[str, Any] = {"subject": name, "weight": float(weights[f]), **both}
            found += [
                one(features, (w, f), family="feature", test=apart.__name__, limit=DISTANCE_LIMIT, **about),
                one(missing, (w, f), family="missing", test="share", limit=0.05, **about),
                Measurement(
                    family="contract",
                    test="outside",
                    limit=0.01,
                    value=traffic.outside[w, f] / world.rows,
                    low=float(outside[0][w, f]),
                    **about,
                ),
            ]
        found.append(one(new, (w,), family="new_category", subject="kind", test="share", limit=0.01, **both))
        found.append(
            one(scores, (w,), family="prediction", subject="score", test=apart.__name__, limit=DISTANCE_LIMIT, **both)
        )
        if before is not None and w >= season:
            again = {"reference": "previous", "rows": world.rows, "reference_rows": world.rows}
            found.append(
                one(
                    before,
                    (w - season,),
                    family="prediction",
                    subject="score",
                    test=apart.__name__,
                    limit=DISTANCE_LIMIT,
                    **again,
                )
            )
        else:
            found.append(
                Measurement(family="prediction", subject="score", test=apart.__name__, value=None, reference="previous")
            )
        found.append(
            one(drop, (w,), family="quality", subject="accuracy", test="accuracy", limit=0.03,
                rows=world.rows, reference_rows=HELD_OUT)
        )  # fmt: skip
        yield world.window(w), found


def _accuracy(traffic: Traffic) -> Figures:
    """How much less often the model is right than on the held-out rows."""
    n, held_out = traffic.world.rows, traffic.held_out / HELD_OUT
    accuracy = traffic.right / n
    error = np.sqrt(accuracy * (1 - accuracy) / n + held_out * (1 - held_out) / HELD_OUT)
    value = held_out - accuracy
    return Figures(value=value, low=value - 1.96 * error, high=value + 1.96 * error, p=stats.norm.sf(value / error))
