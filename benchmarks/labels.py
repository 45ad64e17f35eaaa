"""The log in the lake: predictions a second that one core collects, and answers joined with their labels."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess

from benchmarks.common import OUT, PYTHON, Options, Result, Target, say

LEAST_A_SECOND = 50_000
COLLECTED = 300_000
JOINED = 10_000_000


def run(options: Options) -> Result:
    collected, joined = options.rows(COLLECTED), options.rows(JOINED)
    runs = []
    for number in range(options.rounds):
        found = json.loads(_child("collect", collected))
        runs.append(found)
        say(f"  round {number + 1}: {found['cpu_s']:.2f} s CPU, {found['wall_s']:.2f} s")
    cpu = statistics.median(one["cpu_s"] for one in runs)
    wall = statistics.median(one["wall_s"] for one in runs)
    read = json.loads(_child("join", joined))
    told = (
        f"The collector, bound to one core, {collected:,} predictions of eight inputs, {options.rounds} rounds: "
        f"{cpu:.2f} s of CPU ({collected / cpu:,.0f} a second), {wall:.2f} s in all."
    )
    lines = [
        told,
        "",
        f"{joined:,} answers in the lake, nine tenths of them labelled by id:",
        "",
        "| | wall s | CPU s |",
        "|---|---|---|",
        *(f"| {name} | {one['wall_s']:.3g} | {one['cpu_s']:.3g} |" for name, one in read.items()),
    ]
    target = Target(
        what=f"Collector: CPU seconds for {LEAST_A_SECOND:,} predictions",
        value=cpu / collected * LEAST_A_SECOND,
        limit=1.0,
        unit="s",
    )
    return Result(job="labels", lines=lines, targets=[target])


def _child(verb: str, rows: int) -> str:  # type: ignore[no-untyped-def]
    folder = OUT / "labels"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        command = [PYTHON, "-m", "benchmarks.labels_child", verb, str(rows), str(folder)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)
