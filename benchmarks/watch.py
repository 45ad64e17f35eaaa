"""A day of answers watched: how long one pass of the monitor takes over ten million of them."""

from __future__ import annotations

import json
import shutil
import subprocess

from benchmarks.common import OUT, PYTHON, Options, Result, Target, say

SIZES = (100_000, 1_000_000, 10_000_000)
LIMIT_S = 60.0


def run(options: Options) -> Result:
    found = {rows: _child(rows) for rows in map(options.rows, SIZES)}
    lines = [
        "One window of a day: 18 inputs and the scores beside training and traffic; one run each.",
        "",
        "| answers | wall s | CPU s | peak MB | figures |",
        "|---|---|---|---|---|",
        *(
            f"| {rows:,} | {one['wall_s']:.3g} | {one['cpu_s']:.3g} | {one['peak_mb']:,.0f} | {one['figures']} |"
            for rows, one in found.items()
        ),
    ]
    most = max(found)
    target = Target(
        what=f"A day of {most:,} answers monitored: wall", value=found[most]["wall_s"], limit=LIMIT_S, unit="s"
    )
    return Result(job="watch", lines=lines, targets=[target])


def _child(rows: int) -> dict[str, float]:
    folder = OUT / "watch"
    shutil.rmtree(folder, ignore_errors=True)
    say(f"  {rows:,} answers")
    try:
        command = [PYTHON, "-m", "benchmarks.watch_child", str(rows), str(folder)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return dict(json.loads(printed))
