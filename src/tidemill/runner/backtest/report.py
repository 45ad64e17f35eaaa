"""What a backtest found, as plain data and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tidemill.core.durations import show_duration
from tidemill.core.words import count
from tidemill.evaluation.ageing import LEAST_PERIODS, NEVER, Ageing, Estimate, Paced


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One training: on the rows known at a moment."""

    at: datetime
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The metric of one training on one period; ``age`` is in periods, ``start`` the period's begin."""

    cut: datetime
    age: int
    start: datetime
    rows: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestReport:
    """A backtest.

    Parameters
    ----------
    static
        Scores of the first training on every period.
    said
        What it comes to, in sentences.
    """

    number: int = 0
    model: str
    metric: str
    every: timedelta
    window: str
    time: str
    known: str
    cuts: tuple[Cut, ...]
    scores: tuple[Score, ...]
    static: tuple[Score, ...]
    ageing: Ageing
    said: tuple[str, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def training_seconds(self) -> float:
        """The median time of a training."""
        found = sorted(cut.seconds for cut in self.cuts)
        return found[len(found) // 2] if found else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "backtest": self.number,
            "model": self.model,
            "metric": self.metric,
            "every_seconds": self.every.total_seconds(),
            "window": self.window,
            "time": self.time,
            "known": self.known,
            "said": list(self.said),
            "notes": list(self.notes),
            "enough": self.ageing.enough,
            "ages": [{"age": one.age, "value": _told(one.value), "loss": _told(one.loss)} for one in self.ageing.ages],
            "paces": [
                {"every": one.every or None, "value": _told(one.value), "loss": _told(one.loss)}
                for one in self.ageing.paces
            ],
            "cuts": [{"at": one.at.isoformat(), "rows": one.rows, "seconds": one.seconds} for one in self.cuts],
            "scores": [
                {
                    "cut": one.cut.isoformat(),
                    "age": one.age,
                    "start": one.start.isoformat(),
                    "rows": one.rows,
                    "value": one.value,
                }
                for one in self.scores
            ],
            "seconds": self.seconds,
        }


def _told(one: Estimate | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"value": one.value, "low": one.low, "high": one.high, "periods": one.periods}


def sentences(ageing: Ageing, *, metric: str, every: timedelta, cost_s: float) -> tuple[str, ...]:
    """What it comes to, in words; what is noise is called so."""
    if not ageing.paces:
        return ("There is no period on which models of every age were tested: widen --from and --to, or lower --ages.",)
    periods = max(one.loss.periods for one in ageing.paces)
    if len(ageing.paces) < 2 or periods < LEAST_PERIODS:
        few = f"{count(periods, 'period')} {'is' if periods == 1 else 'are'} too few"
        return (f"How often to train is not measurable: {few}.",)
    return (_of_age(ageing, metric, every), *_of_pace(ageing, metric, every, cost_s))


def _of_age(ageing: Ageing, metric: str, every: timedelta) -> str:
    worse = next((one for one in ageing.ages if one.loss is not None and one.loss.measurable), None)
    if worse is None or worse.loss is None:
        oldest = ageing.ages[-1].age
        return f"Up to an age of {pace_words(oldest, every)} a model loses nothing measurable in {metric}."
    return (
        f"A model {pace_words(worse.age, every)} old is measurably worse than a fresh one on the same rows: by "
        f"{interval_words(worse.loss)} {metric}."
    )


def _of_pace(ageing: Ageing, metric: str, every: timedelta, cost_s: float) -> tuple[str, ...]:
    first, rarest = ageing.paces[0], ageing.paces[-1]
    cost = f"a training takes {cost_s:.2g} s"
    base = f"every {pace_words(1, every)}"
    open_ = _open(ageing)
    if ageing.enough == NEVER:
        changed = f"the answers {_lose_or_gain(rarest.loss)} {metric} against a training"
        return (f"Training again does not pay measurably: trained once, {changed} {base} ({cost}).",)
    told = []
    best = next((one for one in ageing.paces if one.every == ageing.enough), first)
    rarer = ageing.paces[ageing.paces.index(best) + 1]
    if best is first and rarer.loss.measurable:
        told.append(
            f"Train {base}: {_how(rarer.every, every)} loses {interval_words(rarer.loss)} {metric}; whether more often "
            f"pays was not tried ({cost})."
        )
    elif best is not first:
        told.append(
            f"Train every {pace_words(best.every, every)}: more often gains nothing measurable "
            f"({interval_words(best.loss)} {metric} against {base}; {cost})."
        )
    if open_ is not None:
        told.append(_not_told(open_, first, metric, every))
    worse = next((one for one in ageing.paces[ageing.paces.index(best) + 1 :] if one.loss.measurable), None)
    if worse is not None and worse.every != NEVER and not (best is first and worse is rarer):
        told.append(f"{_how(worse.every, every).capitalize()} loses {interval_words(worse.loss)} {metric}.")
    if rarest.every == NEVER and rarest is not open_:
        luck = "" if rarest.loss.measurable else ", which is one model's luck as much as its age"
        told.append(f"Trained once, the answers {_lose_or_gain(rarest.loss)} {metric}{luck}.")
    return tuple(told)


def _open(ageing: Ageing) -> Paced | None:
    """The first pace of which cannot be told whether it loses something that matters; None after one that does."""
    for one in ageing.paces[1:]:
        if one.loss.measurable:
            return None
        if not one.loss.small_beside(ageing.paces[0].value.value):
            return one
    return None


def _not_told(pace: Paced, first: Paced, metric: str, every: timedelta) -> str:
    about = "training again pays" if pace.every == NEVER else f"training {_how(pace.every, every)} is enough"
    so = "once" if pace.every == NEVER else _how(pace.every, every)
    lost = f"{_lose_or_gain(pace.loss)} of {first.value.value:.4g} {metric}"
    return (
        f"Whether {about} cannot be told: trained {so}, the answers {lost} against a training every "
        f"{pace_words(1, every)}; more periods would tell."
    )


def _how(periods: int, every: timedelta) -> str:
    return "training once" if periods == NEVER else f"every {pace_words(periods, every)}"


def pace_words(periods: int, every: timedelta) -> str:
    """So many periods, as a span of time."""
    return show_duration(every * periods)


def interval_words(one: Estimate) -> str:
    """A mean and its interval."""
    if one.low is None or one.high is None:
        return f"{one.value:.4g} (too few periods for an interval)"
    return f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})"


def _lose_or_gain(loss: Estimate) -> str:
    """A loss as what is lost, or where it is less than nothing, as what is gained."""
    if loss.value >= 0:
        return f"lose {interval_words(loss)}"
    low, high = (None if end is None else -end for end in (loss.high, loss.low))
    return f"gain {interval_words(replace(loss, value=-loss.value, low=low, high=high))}"


def names_of(periods: Sequence[int], every: timedelta) -> list[str]:
    """How paces are called in a table."""
    return ["once" if one == NEVER else pace_words(one, every) for one in periods]
