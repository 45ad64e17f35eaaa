"""Estimates of a deployment's windows, as its monitor writes them down, beside what the labels of these rows show.

A real deployment: answers lie in the log with what callers sent, the monitor passes over them once, and the figures are
read from ``tidemill.performance``. Windows of other people come without labels. Behind them stand pairs of windows: of
the first all labels are there, in some changed; the second has none, and shows whether its estimate is off.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.common import Options, Result, Target, say
from benchmarks.estimate import CHECKED_ROWS, DRIFTS, PAGE, PROMISED
from benchmarks.estimate_world import DATA_SETS, MODELS, DataSet, Unseen, trained
from tidemill.core.clock import Clock
from tidemill.evaluation.class_estimate import realised_metrics
from tidemill.project import Project, open_project
from tidemill.serving.log.records import LabelRecord, LabelRow, encode
from tidemill.serving.log.tables import PREDICTIONS_TABLE, Taken, write_taken
from tidemill.serving.log.texts import text_of
from tidemill.serving.log.writer import LogWriter

BEGIN, HOUR = datetime(2026, 3, 2, tzinfo=UTC), timedelta(hours=1)
SPLITS, WINDOWS, PAIRS = 4, 3, 2
# Drift of the inputs is counted of one column only: it is not what is measured here.
SETTINGS = """
name = "estimate"
[deployments.m]
log = "buffered"
[deployments.m.monitor]
window = "1 hour"
columns = ["{column}"]
"""


Said = dict[tuple[str, str], dict[str, Any]]


@dataclass(slots=True)
class Seen:
    """What the monitor said: by shift, whether truth was within; by drift, whether the estimate after it was off."""

    hits: dict[str, dict[str, list[bool]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    off: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    answers: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hour:
    """A window: which rows came, as what it is counted, and what is told of them, if anything."""

    what: str
    places: np.ndarray
    told: np.ndarray | None = None


def run(options: Options) -> Result:
    """How often truth is within what the monitor wrote down, and how often it switches itself off."""
    splits, windows, pairs = (1, 3, 2) if options.quick else (SPLITS, WINDOWS, PAIRS)
    found: dict[tuple[str, str], Seen] = defaultdict(Seen)
    for data in DATA_SETS:
        for model in MODELS:
            for split in range(splits):
                say(f"  {data.name}, {model}, split {split}")
                random = np.random.default_rng([split, len(model), len(data.name), 7])
                with tempfile.TemporaryDirectory(prefix="tidemill-estimate-") as folder:
                    rows = trained(Path(folder), data, model, split, settings=SETTINGS.format(column=data.watched))
                    hours = [*_shifted(data, rows, windows, random), *_drifted(data, rows, pairs, random)]
                    _watch(found[data.name, model], data, rows, Path(folder), hours)
    lines = [*_coverage(found), "", *_switches(found), "", *_cost(found)]
    return Result(job="estimate-monitor", lines=lines, targets=list(_targets(found)), page=PAGE)


def _shifted(data: DataSet, rows: Unseen, windows: int, random: np.random.Generator) -> list[_Hour]:
    return [
        _Hour(what=name, places=rows.draw(shift, data.sizes[number % len(data.sizes)], random))
        for name, shift in data.shifts.items()
        for number in range(windows)
    ]


def _drifted(data: DataSet, rows: Unseen, pairs: int, random: np.random.Generator) -> list[_Hour]:
    hours = []
    for name, drift in DRIFTS.items():
        for _ in range(pairs):
            first, second = (rows.draw(data.shifts["none"], CHECKED_ROWS, random) for _ in range(2))
            hours += [
                _Hour(what=name, places=first, told=drift(data, rows, first, random)),
                _Hour(what="", places=second),
            ]
    return hours


def _watch(seen: Seen, data: DataSet, rows: Unseen, folder: Path, hours: Sequence[_Hour]) -> None:
    """Write the log of these hours, let the monitor pass over it once, and compare."""
    ended = BEGIN + (len(hours) + 1) * HOUR
    with open_project(folder, clock=Clock(now=lambda: ended)) as project:
        project.deploy("m", override="a benchmark", why="a benchmark")
        _answer(project, rows, hours)
        _label(folder, rows, hours)
        project.collect()
        began = time.process_time()
        (passed,) = project.monitor()
        seen.cpu_s += time.process_time() - began
        assert passed.error is None, passed.error
        seen.answers += passed.rows
        figures = project.sql("SELECT * FROM tidemill.performance WHERE family = 'estimate'").to_arrow().to_pylist()
    said: dict[int, Said] = defaultdict(dict)
    for one in figures:
        assert "from scores alone" not in one["note"], one
        said[round((one["window_start"].replace(tzinfo=UTC) - BEGIN) / HOUR)][one["metric"], one["test"]] = one
    for number, hour in enumerate(hours):
        if hour.what in data.shifts:
            truth = realised_metrics(rows.labels, rows.y[hour.places], rows.scores[hour.places])
            for metric in PROMISED:
                one = said[number][metric, "value"]
                seen.hits[hour.what][metric].append(one["low"] <= truth[metric] <= one["high"])
        elif hour.told is not None:
            (after,) = [one for (_, test), one in said[number + 1].items() if test == "loss"]
            seen.off[hour.what].append(after["note"].startswith("off: "))


def _answer(project: Project, rows: Unseen, hours: Sequence[_Hour]) -> None:
    """The answers of all hours into the lake, as a collector would bring them."""
    number = np.concatenate([np.full(len(hour.places), place) for place, hour in enumerate(hours)])
    given = np.concatenate([hour.places for hour in hours])
    within = np.concatenate([np.arange(len(hour.places)) for hour in hours])
    scores = rows.scores[given]
    answers = pa.table({"hour": number, "number": within, "place": given, "score": scores[:, -1].astype(np.float64)})
    sent = rows.table.append_column("place", pa.array(np.arange(rows.table.num_rows)))
    fields = ", ".join(f'"{name}" := sent."{name}"' for name in rows.table.column_names)
    no, yes = (text_of(one) for one in rows.labels.classes)
    sql = f"""
        SELECT 'h' || hour || '-' || number AS id,
               TIMESTAMP '{BEGIN:%Y-%m-%d}' + to_hours(hour) + to_milliseconds(number) AS "at",
               'm' AS model, 1::BIGINT AS version, '' AS digest, 'm' AS deployment, 'champion' AS route,
               0.0::DOUBLE AS share, number::VARCHAR AS "key", to_json(struct_pack({fields}))::VARCHAR AS inputs,
               CASE WHEN score >= 0.5 THEN '{yes}' ELSE '{no}' END AS prediction, score,
               json_object('{no}', 1 - score, '{yes}', score)::VARCHAR AS probabilities, 1.0::DOUBLE AS latency_ms,
               '' AS trace, '' AS principal, 1::BIGINT AS batch
        FROM tm_answers JOIN tm_sent AS sent USING (place)"""
    warehouse = project.warehouse
    with warehouse.session() as session:
        staged = warehouse.stage(
            session, sql, {"tm_answers": answers, "tm_sent": sent}, table=PREDICTIONS_TABLE, attempt="a", system=True
        )
    message = write_taken(Taken(predictions={}, labels={}, batch=1))
    warehouse.append(staged, run_id="answers", step="collect", guard=lambda: None, message=message)


def _label(folder: Path, rows: Unseen, hours: Sequence[_Hour]) -> None:
    """What is told of some hours, into the spool, as a server would write it."""
    texts = [text_of(one) for one in rows.labels.classes]
    with closing(LogWriter(folder / ".tidemill" / "spool", worker="w0", clock=Clock())) as log:
        for number, hour in enumerate(hours):
            if hour.told is not None:
                told = [LabelRow(id=f"h{number}-{place}", label=texts[one]) for place, one in enumerate(hour.told)]
                at = round((BEGIN + (number + 1) * HOUR).timestamp() * 1e9)
                log.append(encode(LabelRecord(id=f"l{number}", at_ns=at, deployment="m", model="m", rows=told)))


def _coverage(found: Mapping[tuple[str, str], Seen]) -> list[str]:
    lines = [
        "The share of windows of a deployment whose figure is within the 95 % interval that its monitor wrote down.",
        "",
        f"| data | model | windows | {' | '.join(f'{one} within' for one in PROMISED)} | worst line |",
        f"|---|---|---|{'---|' * len(PROMISED)}---|",
    ]
    for (data, model), seen in found.items():
        all_of = [_shifted_hits(seen, metric) for metric in PROMISED]
        shares = {(metric, shift): _share(by[metric]) for shift, by in seen.hits.items() for metric in PROMISED}
        (metric, shift), worst = min(shares.items(), key=lambda one: one[1])
        cells = [data, model.split("_")[0].lower(), f"{len(all_of[0]):,}", *(f"{_share(one):.1%}" for one in all_of)]
        lines.append(f"| {' | '.join(cells)} | {shift}: {metric} {worst:.0%} |")
    return lines


def _switches(found: Mapping[tuple[str, str], Seen]) -> list[str]:
    lines = [
        f"Labels of a window of {CHECKED_ROWS:,} answers came: how often the monitor made no estimate of the next one.",
        "",
        f"| data | model | {' | '.join(DRIFTS)} |",
        f"|---|---|{'---|' * len(DRIFTS)}",
    ]
    for (data, model), seen in found.items():
        cells = [data, model.split("_")[0].lower(), *(f"{_share(seen.off[name]):.0%}" for name in DRIFTS)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cost(found: Mapping[tuple[str, str], Seen]) -> list[str]:
    answers, cpu = sum(one.answers for one in found.values()), sum(one.cpu_s for one in found.values())
    return [f"All passes together took {cpu:.0f} s of CPU time for {answers:,} answers, with what was learnt."]


def _shifted_hits(seen: Seen, metric: str) -> list[bool]:
    return [hit for shift, by in seen.hits.items() if shift != "none" for hit in by[metric]]


def _targets(found: Mapping[tuple[str, str], Seen]) -> Iterator[Target]:
    for data in DATA_SETS:
        here = [seen for (name, _), seen in found.items() if name == data.name]
        for metric in PROMISED:
            missed = 1 - _share([hit for seen in here for hit in _shifted_hits(seen, metric)])
            what = f"{data.name}, shifted windows, by the monitor: {metric} outside its interval"
            yield Target(what=what, value=100 * missed, limit=10, unit="%")


def _share(found: list[bool]) -> float:
    return sum(found) / len(found)
