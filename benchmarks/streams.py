"""Two streams of real rows, replayed with versions trained as they go and with none: ``python -m benchmarks streams``.

Each replay is a process of its own (`streams_child`) and leaves its figures in ``benchmarks/out/streams``. One that is
there for the same statements is not run again, for all together take most of an hour of CPU: delete the folder for new
ones.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import OUT, PYTHON, Options, Result, say
from benchmarks.streams_daily import PART, Daily, daily
from benchmarks.streams_world import ELEC2, NOAA, REPLAYS, RIVER, Replay, Stream

KEPT = OUT / "streams"
STRETCHES = 12
"""The curve over time is told in so many lines."""


def run(options: Options) -> Result:
    """Every replay, and the tables of both streams."""
    found = {one.name: replayed(one, quick=options.quick) for one in REPLAYS}
    lines: list[str] = []
    for stream in (ELEC2, NOAA):
        mine = {one.name: found[one.name] for one in REPLAYS if one.stream is stream}
        lines += [*_scores(stream, mine), "", *_curve(mine), ""]
    say("  noaa_weather, every day")
    lines += _every_day(daily(quick=options.quick))
    return Result(job="streams", lines=lines)


def replayed(replay: Replay, *, quick: bool) -> Mapping[str, Any]:
    """The figures of a replay: those that are kept, or new ones."""
    path = KEPT / f"{replay.name}{'-quick' if quick else ''}.json"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept["asked"] == replay.asked:
            say(f"  {replay.name}: kept in {path}")
            return kept
    say(f"  {replay.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [PYTHON, "-m", "benchmarks.streams_child", replay.name, str(path), *(["--quick"] if quick else [])]
    subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[1])
    return dict(json.loads(path.read_text()))


def _scores(stream: Stream, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        f"**{stream.name}**: {stream.about}",
        "",
        "| | rows answered | accuracy | F1 | the same rows, no retraining | last label | majority | versions | CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for replay in REPLAYS:
        if replay.name in found:
            one = found[replay.name]
            totals = one["totals"]
            cells = [
                replay.about,
                f"{one['answers']:,}",
                f"{totals['deployed']['accuracy']:.3f}",
                f"{totals['deployed']['f1_score']:.3f}",
                f"{totals['no retraining']['accuracy']:.3f}",
                f"{totals['last label']['accuracy']:.3f}",
                f"{totals['majority']['accuracy']:.3f}",
                f"{one['versions']:,}",
                f"{one['cpu_s']:.0f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    if stream is ELEC2:
        lines += ["", "River's figures over all 45,312 rows, each learnt from at once, accuracy and F1: "
                  + "; ".join(f"{name} {accuracy:.3f}, {f1:.3f}" for name, accuracy, f1 in RIVER) + "."]  # fmt: skip
    return lines


def _curve(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Accuracy over stretches of the stream, of every replay that goes over the whole of it."""
    most = max(one["answers"] for one in found.values())
    whole = {name: one for name, one in found.items() if one["answers"] == most}
    about = {one.name: one.about for one in REPLAYS}
    columns = [(about[name], one["periods"], "deployed") for name, one in whole.items()]
    periods = columns[0][1]
    columns += [(name, periods, name) for name in ("no retraining", "last label")]
    step = max(1, -(-len(periods) // STRETCHES))
    lines = [f"| from | {' | '.join(name for name, *_ in columns)} |", "|---|" + "---|" * len(columns)]
    for start in range(0, len(periods), step):
        cells = [f"{_mean(theirs[start : start + step], who):.3f}" for _, theirs, who in columns]
        lines.append(f"| {periods[start]['start'][:10]} | {' | '.join(cells)} |")
    return lines


def _every_day(found: Daily) -> list[str]:
    """Accuracy of a model trained anew each day, whole and over stretches of the stream."""
    days = found.days
    step = max(1, -(-len(days) // STRETCHES))
    ends = [*days[step::step], "9999"]
    stretches = [(days[0], days[0], "9999"), *zip(days[::step], days[::step], ends, strict=True)]
    first, last = found.training_s[0], found.training_s[-1]
    about = (
        f"**{NOAA.name}**, a model for each of {len(days):,} days, by `tidemill backtest --every 1d`: trained on all "
        f"rows whose label was known, asked about one day. {found.cpu_s:,.0f} s of CPU; a training takes {first:.3f} s "
        f"in the first {PART.days:,} days, {last:.3f} s in the last."
    )
    lines = [about, "", "| from | trained every day | trained once, on the first year |", "|---|---|---|"]
    for number, (name, since, until) in enumerate(stretches):
        cells = [f"{found.accuracy(who, since, until):.3f}" for who in (found.daily, found.once)]
        lines.append(f"| {f'{name}, all' if number == 0 else name} | {' | '.join(cells)} |")
    return lines


def _mean(periods: Sequence[Mapping[str, Any]], who: str) -> float:
    told = [one for one in periods if one["labelled"]]
    return float(sum(one["scores"][who] * one["labelled"] for one in told) / sum(one["labelled"] for one in told))
