"""How often truth is within the interval of its estimate, and when estimates go off: ``python -m benchmarks estimate``.

Its tables and its picture go to docs/estimates.md. Windows are drawn from fixed seeds: another run gives the same.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.common import Options, Result, Target, say
from benchmarks.estimate_picture import Point, picture
from benchmarks.estimate_world import DATA_SETS, MODELS, DataSet, Unseen, unseen
from tidemill.evaluation.class_estimate import realised_metrics
from tidemill.monitoring.estimate import CHECK_LEVEL

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "estimates.md"
METRICS = ("roc_auc", "accuracy", "precision", "recall", "f1_score", "log_loss", "brier_score")
PROMISED = ("roc_auc", "accuracy")
SPLITS, WINDOWS, RUNS, FOLLOWED = 4, 40, 15, 12
CHECKED_ROWS = 1_000

Drift = Callable[[DataSet, Unseen, np.ndarray, np.random.Generator], np.ndarray]


@dataclass(slots=True)
class Seen:
    """What windows of one kind showed."""

    hits: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    alone: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    missed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by_held_out: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    width: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    off: list[bool] = field(default_factory=list)


def run(options: Options) -> Result:
    """Both tables."""
    splits, windows, runs = (1, 5, 3) if options.quick else (SPLITS, WINDOWS, RUNS)
    covered: dict[tuple[str, str, str], Seen] = defaultdict(Seen)
    delays: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    points: list[Point] = []
    for data in DATA_SETS:
        for model in MODELS:
            for split in range(splits):
                say(f"  {data.name}, {model}, split {split}")
                rows = unseen(data, model, split)
                random = np.random.default_rng([split, len(model), len(data.name)])
                for shift in data.shifts:
                    _look(covered[data.name, shift, model], data, rows, shift, windows, random)
                for name, drift in DRIFTS.items():
                    delays[data.name, name] += [_until_off(data, rows, drift, random) for _ in range(runs)]
                if not points:
                    points = _stream(data, rows, random)
    if not options.quick:
        (DOCS / "estimates.svg").write_text(picture(points), encoding="utf-8")
    lines = [*_coverage_table(covered), "", *_metric_table(covered), "", *_drift_table(delays), "", *_speed()]
    return Result(job="estimate", lines=lines, targets=list(_targets(covered)), page=PAGE)


def _look(seen: Seen, data: DataSet, rows: Unseen, shift: str, windows: int, random: np.random.Generator) -> None:
    held = realised_metrics(rows.labels, *rows.held)
    for number in range(windows):
        places = rows.draw(data.shifts[shift], data.sizes[number % len(data.sizes)], random)
        y, scores = rows.y[places], rows.scores[places]
        truth, alone = realised_metrics(rows.labels, y, scores), rows.alone.estimate(scores)
        found = rows.estimator.estimate(scores, sides=rows.sides[places])
        for metric in METRICS:
            one = found[metric]
            seen.hits[metric].append(one.low <= truth[metric] <= one.high)
            seen.alone[metric].append(alone[metric].low <= truth[metric] <= alone[metric].high)
            seen.missed[metric].append(abs(one.value - truth[metric]))
            seen.by_held_out[metric].append(abs(held[metric] - truth[metric]))
            seen.width[metric].append((one.high - one.low) / 2)
        seen.off.append(_off(rows, places, y))


def _off(rows: Unseen, places: np.ndarray, y: np.ndarray) -> bool:
    check = rows.estimator.check(y, rows.scores[places], metric="roc_auc", sides=rows.sides[places])
    return check is not None and check.p_value < CHECK_LEVEL


def _flip(share: float) -> Drift:
    return lambda data, rows, places, random: np.where(  # noqa: ARG005
        random.random(len(places)) < share, 1 - rows.y[places], rows.y[places]
    )


def _group(data: DataSet, rows: Unseen, places: np.ndarray, random: np.random.Generator) -> np.ndarray:
    struck = data.group(rows.columns)[places].astype(bool) & (random.random(len(places)) < 0.3)
    return np.where(struck, 1 - rows.y[places], rows.y[places])


def _fewer(data: DataSet, rows: Unseen, places: np.ndarray, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    return np.where(random.random(len(places)) < 1 / 3, 0, rows.y[places])


DRIFTS: dict[str, Drift] = {
    "nothing": _flip(0.0),
    "5 % of labels flipped": _flip(0.05),
    "10 % of labels flipped": _flip(0.10),
    "20 % of labels flipped": _flip(0.20),
    "30 % of one group flipped": _group,
    "a third of positives gone": _fewer,
}


def _until_off(data: DataSet, rows: Unseen, drift: Drift, random: np.random.Generator) -> int | None:
    """How many windows with labels it takes until the estimate is off; None where it stays."""
    for number in range(FOLLOWED):
        places = rows.draw(data.shifts["none"], CHECKED_ROWS, random)
        if _off(rows, places, drift(data, rows, places, random)):
            return number + 1
    return None


def _stream(data: DataSet, rows: Unseen, random: np.random.Generator) -> list[Point]:
    """Thirty windows for the picture: other people come from the ninth on, labels change from the 21st on."""
    points: list[Point] = []
    checks: list[bool] = []
    late = 2
    for number in range(30):
        shift = data.shifts["none" if number < 8 else "younger"]
        places = rows.draw(shift, 1_000, random)
        y = rows.y[places] if number < 20 else _flip(0.1)(data, rows, places, random)
        scores = rows.scores[places]
        known = checks[: max(0, number - late)]
        one = rows.estimator.estimate(scores, sides=rows.sides[places])["accuracy"]
        off = bool(known) and known[-1]
        truth = realised_metrics(rows.labels, y, scores)["accuracy"]
        points.append(Point(truth=truth, estimate=None if off else (one.value, one.low, one.high)))
        checks.append(_off(rows, places, y))
    return points


def _coverage_table(covered: dict[tuple[str, str, str], Seen]) -> list[str]:
    heads = [
        "data",
        "windows drawn with",
        "model",
        "windows",
        *(f"{one} within" for one in PROMISED),
        *(f"{one}, scores alone" for one in PROMISED),
    ]
    heads += ["accuracy missed by", "by the held-out figure", "check fails"]
    lines = [
        "The share of windows whose figure is within the 95 % interval of its estimate.",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
    ]
    for (data, shift, model), seen in covered.items():
        cells = [data, shift, model.split("_")[0].lower(), str(len(seen.off))]
        cells += [f"{_share(seen.hits[metric]):.0%}" for metric in PROMISED]
        cells += [f"{_share(seen.alone[metric]):.0%}" for metric in PROMISED]
        cells += [f"{np.mean(found['accuracy']):.3f}" for found in (seen.missed, seen.by_held_out)]
        lines.append(f"| {' | '.join([*cells, f'{_share(seen.off):.1%}'])} |")
    return lines


def _metric_table(covered: dict[tuple[str, str, str], Seen]) -> list[str]:
    lines = [
        "All shifts together, without the windows in which nothing was shifted.",
        "",
        f"| data | from | windows | {' | '.join(METRICS)} |",
        f"|---|---|---|{'---|' * len(METRICS)}",
    ]
    for data in DATA_SETS:
        for alone in (False, True):
            found = [_all(covered, data.name, metric, alone=alone) for metric in METRICS]
            cells = [data.name, "scores alone" if alone else "scores and columns", f"{len(found[0]):,}"]
            lines.append(f"| {' | '.join([*cells, *(f'{_share(one):.1%}' for one in found)])} |")
    return lines


def _all(covered: dict[tuple[str, str, str], Seen], data: str, metric: str, *, alone: bool = False) -> list[bool]:
    shifted = [seen for key, seen in covered.items() if key[0] == data and key[1] != "none"]
    return [hit for seen in shifted for hit in (seen.alone if alone else seen.hits)[metric]]


def _drift_table(delays: dict[tuple[str, str], list[int | None]]) -> list[str]:
    lines = [
        f"From one window on, of {CHECKED_ROWS:,} rows each, labels follow otherwise. After how many windows whose",
        f"labels came is the estimate off (1: with the first that can show it), of {FOLLOWED} that were followed.",
        "",
        "| data | what happens | runs | off with the first | off within 12 | median | 90 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for (data, name), found in delays.items():
        known = sorted(one if one is not None else FOLLOWED + 1 for one in found)
        high = known[min(len(known) - 1, int(0.9 * len(known)))]
        first, ever = (_share([one <= most for one in known]) for most in (1, FOLLOWED))
        middle = statistics.median_low(known)
        ends = [str(one) if one <= FOLLOWED else "never" for one in (middle, high)]
        lines.append(f"| {data} | {name} | {len(found)} | {first:.0%} | {ever:.0%} | {' | '.join(ends)} |")
    return lines


def _speed() -> list[str]:
    from tidemill.evaluation.estimate import learn_estimator
    from tidemill.model_types.base import Labels

    random = np.random.default_rng(1)
    line = random.normal(-1, 1.5, 120_000)
    score = 1 / (1 + np.exp(-line))
    y = (random.random(120_000) < score).astype(np.int64)
    both = np.column_stack([1 - score, score])
    began = time.process_time()
    estimator = learn_estimator(Labels(column="y", classes=(0, 1)), y[:20_000], both[:20_000])
    learnt = time.process_time()
    estimator.estimate(both[20_000:])
    ended = time.process_time()
    return [
        (
            f"To calibrate on 20,000 held-out rows took {learnt - began:.2f} s of CPU time, to estimate seven metrics "
            f"of 100,000 rows with their intervals {ended - learnt:.2f} s."
        )
    ]


def _targets(covered: dict[tuple[str, str, str], Seen]) -> Iterator[Target]:
    for data in DATA_SETS:
        for metric in PROMISED:
            missed = 1 - _share(_all(covered, data.name, metric))
            what = f"{data.name}, shifted windows: {metric} outside its interval"
            yield Target(what=what, value=100 * missed, limit=10, unit="%")


def _share(found: list[bool]) -> float:
    return sum(found) / len(found)
