"""One answer in a server process, without HTTP: JSON in, JSON out, beside an encoder written by hand for one model."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks.common import OUT, PYTHON, Options, Result, Target, prepare

LIMIT_US = 50
# The encoder by hand knows its columns by name, and answers with one number a row: no ids, labels or classes.
LIMIT_HUNDRED = 1.25


def run(options: Options) -> Result:
    found: list[dict[str, dict[str, float]]] = []
    for _ in range(options.rounds):
        command = [PYTHON, "-m", "benchmarks.online_answers", *(["--quick"] if options.quick else [])]
        prepare(command, folder=Path(__file__).parents[1])
        found.append(json.loads((OUT / "logs" / "prepare.txt").read_text().splitlines()[-1]))
    medians = {
        name: {step: statistics.median(run[name][step] for run in found) for step in steps}
        for name, steps in found[0].items()
    }
    steps = list(dict.fromkeys(step for row in medians.values() for step in row))
    lines = [
        f"100 trees, 10 numbers, 6 strings, JSON in and out, one thread, microseconds; {options.rounds} rounds.",
        "",
        f"| | {' | '.join(steps)} |",
        f"|---|{'---|' * len(steps)}",
        *(
            f"| {name} | {' | '.join(f'{row[s]:.1f}' if s in row else '' for s in steps)} |"
            for name, row in medians.items()
        ),
    ]
    one, hundred = medians["Tidemill, 1 row"]["all"], medians["Tidemill, 100 rows"]["all"]
    by_hand = medians["by hand, 100 rows"]["all"]
    return Result(
        job="online",
        lines=lines,
        targets=[
            Target(what="An answer to one row, JSON to JSON", value=one, limit=LIMIT_US, unit="us"),
            Target(what="100 rows, against the encoder by hand", value=hundred / by_hand, limit=LIMIT_HUNDRED),
        ],
    )
