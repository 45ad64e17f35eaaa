"""Encoding alone: 1 M rows, 10 numbers and 10 strings, one thread."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks.common import OUT, PYTHON, Options, Result, Target, prepare

LIMIT_S = 0.6


def run(options: Options) -> Result:
    rows = options.rows(1_000_000)
    found: list[dict[str, float]] = []
    for _ in range(options.rounds):
        prepare([PYTHON, "-m", "benchmarks.encode_batch", str(rows)], folder=Path(__file__).parents[1])
        found.append(json.loads((OUT / "logs" / "prepare.txt").read_text().splitlines()[-1]))
    medians = {name: statistics.median(run[name] for run in found) for name in found[0]}
    lines = [f"{rows:,} rows, 10 numbers, 10 strings of 3 to 93 values, one thread; {options.rounds} rounds.", ""]
    lines += ["| | s |", "|---|---|", *(f"| {name} | {value:.3f} |" for name, value in medians.items())]
    target = Target(what="Encoding 1 M rows x 20 for trees", value=medians["trees"], limit=LIMIT_S, unit="s")
    return Result(job="encode", lines=lines, targets=[target])
