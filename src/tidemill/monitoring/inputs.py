"""What moved in a window: each feature and the predictions against training and against the same period before.

One figure of each column is judged, so that a budget of false alarms is not spent on saying the same five times: how
far numbers moved, in deviations, and how well a text's value tells which sample it is from. The other distances are
shown beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tidemill.core.chance import binomial_upper, wilson
from tidemill.core.distances import Measured, compare
from tidemill.core.distribution import Distribution, comparable
from tidemill.core.monitor import MonitorSettings
from tidemill.core.names import name_key
from tidemill.monitoring.measurement import Measurement

CONFIDENCE = 0.95
JUDGED = {"number": "wasserstein", "text": "jensen_shannon"}
"""The distance that is judged, by the kind of column. Times move on by themselves: theirs are only shown."""

SHOWN = ("psi", "jensen_shannon", "chi_square", "kolmogorov_smirnov", "wasserstein")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a version was trained on, as far as windows are compared with it.

    Parameters
    ----------
    features
        Distributions of the raw columns, by name.
    answers
        Distributions of its answers on rows it had not seen, by name.
    answers_span
        How long a time those rows are of, where they are the newest of all; None where they are spread over all times.
    weights
        How much of the model hangs on each feature; they add up to 1.
    sources
        The upstream table of each feature, where one is known.
    hidden
        The keys of the features of personal data: no figure tells a value of them.
    """

    version: int
    features: Mapping[str, Distribution]
    answers: Mapping[str, Distribution]
    answers_span: timedelta | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    hidden: Collection[str] = ()


def shape_to_count(reference: Reference) -> dict[str, Distribution]:
    """The bins that a window is counted in: those of the reference, and for numbers two far outside its range."""
    features = {name: _widened(one) for name, one in reference.features.items()}
    return {**features, **reference.answers}


def measure_inputs(
    settings: MonitorSettings,
    reference: Reference,
    counted: Mapping[str, Distribution],
    previous: Mapping[str, Distribution],
    *,
    rows: int,
) -> list[Measurement]:
    """All figures of one window's columns.

    Parameters
    ----------
    counted
        The window in the bins of `shape_to_count`.
    rows
        How many answers it has; of few, only what the contract forbids is judged.
    previous
        The same period before, in bins of its own version's reference; columns in other bins are not compared.
    """
    found = [
        one
        for name, current in counted.items()
        for one in (
            _feature(settings, reference, name, current, previous.get(name))
            if name in reference.features
            else _answer(settings, reference, name, current, previous.get(name))
        )
    ]
    few = f"not judged: fewer than {settings.min_rows:,} answers"
    return [
        one if _enough(one, settings.min_rows, rows) else replace(one, limit=None, p_value=None, note=few)
        for one in found
    ]


def _enough(one: Measurement, least: int, rows: int) -> bool:
    """Whether a figure is judged: predictions are of one version, columns of all answers."""
    return one.family == "contract" or (one.rows if one.family == "prediction" else rows) >= least


def _feature(
    settings: MonitorSettings, reference: Reference, name: str, current: Distribution, previous: Distribution | None
) -> Iterator[Measurement]:
    trained = reference.features[name]
    base = Measurement(
        family="feature",
        subject=name,
        test="",
        value=None,
        version=reference.version,
        weight=reference.weights.get(name, 0.0),
        source=reference.sources.get(name, ""),
    )
    hidden = name_key(name) in reference.hidden
    yield from _outside(settings, base, trained, current, hidden=hidden)
    if hidden:
        current = replace(current, examples=())
    if trained.kind == "number":
        current = _narrowed(current)
        previous = _as_deviating(trained, _narrowed(previous)) if previous is not None else None
    limits = {"missing": settings.max_missing_change, "new_values": settings.max_new_share}
    for before, named in ((trained, "training"), (previous, "previous")):
        if before is not None and comparable(before, current) and before.rows:
            yield from _compared(replace(base, reference=named), before, current, limits)


def _compared(
    base: Measurement, before: Distribution, current: Distribution, limits: Mapping[str, float]
) -> Iterator[Measurement]:
    families = {"missing": "missing", "new_values": "new_category"}
    judged = JUDGED.get(before.kind, "")
    names = ["missing", *SHOWN] if base.reference == "previous" else ["missing", "new_values", *SHOWN]
    for one in compare(before, current, names):
        name = one.distance.name
        figure = _figure(replace(base, family=families.get(name, base.family)), one, before, current)
        if name in families:
            yield replace(figure, limit=limits[name], note=_examples(current) if name == "new_values" else "")
        else:
            yield figure if name == judged else replace(figure, limit=None, p_value=None)


def _answer(
    settings: MonitorSettings, reference: Reference, name: str, current: Distribution, previous: Distribution | None
) -> Iterator[Measurement]:
    """Of the answers, the scores are judged; where there are none, the classes.

    Not beside held-out rows of less time than a window has: answers of neighbouring hours are alike, so that those of
    three days differ from those of a week although nothing is wrong.
    """
    short = _too_short(reference.answers_span, settings.window)
    has_scores = any(one.kind == "number" for one in reference.answers.values())
    trained = reference.answers[name]
    earlier = None if previous is None else _as_deviating(trained, previous)
    for before, named in ((trained, "training"), (earlier, "previous")):
        if before is None or not comparable(before, current) or not before.filled:
            continue
        base = Measurement(
            family="prediction",
            subject=name,
            test="",
            value=None,
            reference=named,
            version=reference.version,
            weight=1.0,
        )
        for one in compare(before, current, SHOWN):
            figure = _figure(base, one, before, current)
            decides = one.distance.name == JUDGED.get(before.kind, "") and (before.kind == "number" or not has_scores)
            if decides and short and named == "training":
                yield replace(figure, limit=None, p_value=None, note=short)
            else:
                yield figure if decides else replace(figure, limit=None, p_value=None)


def _too_short(span: timedelta | None, window: timedelta) -> str:
    """Why predictions are not judged beside the held-out rows; '' where they are."""
    if span is None or span >= window:
        return ""
    return f"not judged: the held-out rows are the newest and span {span / window:.0%} of a window"


def _figure(base: Measurement, one: Measured, before: Distribution, current: Distribution) -> Measurement:
    counts_all = one.distance.name == "missing"
    return replace(
        base,
        test=one.distance.name,
        value=one.value,
        low=one.low,
        high=one.high,
        p_value=one.p_value,
        limit=one.distance.limit,
        rows=current.rows if counts_all else current.filled,
        reference_rows=before.rows if counts_all else before.filled,
    )


def _outside(
    settings: MonitorSettings, base: Measurement, trained: Distribution, current: Distribution, *, hidden: bool
) -> Iterator[Measurement]:
    """The share of numbers far outside training's range: another unit, a default, a mistake."""
    if trained.kind != "number" or not trained.edges or not current.filled:
        return
    outside = current.counts[0] + current.counts[-1]
    low, high = wilson(outside / current.filled, current.filled, confidence=CONFIDENCE)
    yield replace(
        base,
        family="contract",
        reference="limit",
        test="outside",
        value=outside / current.filled,
        low=low,
        high=high,
        limit=settings.max_outside,
        p_value=binomial_upper(outside, current.filled, max(settings.max_outside, 1e-6)),
        rows=current.filled,
        reference_rows=trained.filled,
        note="" if hidden else f"training had {trained.low:.6g} to {trained.high:.6g}",
    )


def _as_deviating(trained: Distribution, counted: Distribution) -> Distribution:
    """A window with the deviation of training, in which it says how far numbers moved: none is counted of a window."""
    return counted if counted.deviation is not None else replace(counted, deviation=trained.deviation)


def _widened(trained: Distribution) -> Distribution:
    """The bins of a number, with one more at each end, for values far outside."""
    if trained.kind != "number" or not trained.edges or trained.low is None or trained.high is None:
        return trained
    edges = (_far_below(trained.low, trained.high), *trained.edges, _far_above(trained.low, trained.high))
    return replace(trained, edges=edges, counts=(0, *trained.counts, 0))


def _far_above(low: float, high: float) -> float:
    return high + (high - low or abs(high) or 1.0)


def _far_below(low: float, high: float) -> float:
    """As far below as the range is wide; of positive numbers by its ratio too: kilograms are no grams."""
    below = low - (high - low or abs(low) or 1.0)
    return max(below, low * (low / high) * 0.999) if low > 0 else below


def _narrowed(counted: Distribution) -> Distribution:
    """A window in the bins of training again."""
    if len(counted.edges) < 3:
        return counted
    counts = counted.counts
    inner = (counts[0] + counts[1], *counts[2:-2], counts[-2] + counts[-1])
    return replace(counted, edges=counted.edges[1:-1], counts=inner)


def _examples(current: Distribution) -> str:
    return f"such as {', '.join(map(repr, current.examples))}" if current.examples else ""


def unknown_names(settings: MonitorSettings, names: Iterable[str]) -> list[tuple[str, str]]:
    """Columns that the settings watch or ignore and the model does not read: the setting and the name of each."""
    known = {name.casefold() for name in names}
    given = [("columns", name) for name in settings.columns] + [("ignore", name) for name in settings.ignore]
    return [(setting, name) for setting, name in given if name.casefold() not in known]


def watched(settings: MonitorSettings, names: Iterable[str]) -> list[str]:
    """The features that the settings watch; where they name none that there is, all."""
    names = list(names)
    known = {name.casefold() for name in names}
    wanted = {name.casefold() for name in settings.columns} & known
    ignored = {name.casefold() for name in settings.ignore}
    return [name for name in names if name.casefold() not in ignored and (not wanted or name.casefold() in wanted)]
