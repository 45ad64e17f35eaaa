"""Two Parquet files compared column by column: `tidemill drift` against a histogram of each column by hand."""

from __future__ import annotations

from benchmarks.common import BARE, PYTHON, TIDEMILL, Contestant, Options, Result, Target, interleave, say
from benchmarks.data import table

SIZES = (100_000, 1_000_000, 10_000_000)
LIMIT = 1.2


def run(options: Options) -> Result:
    lines: list[str] = []
    targets: list[Target] = []
    for size in SIZES:
        rows = options.rows(size)
        say(f"  {rows:,} rows")
        reference, current = str(table("features", rows)), str(table("shifted", rows))
        floor, ours = "by hand", "`tidemill drift`"
        found = interleave(
            [
                Contestant(name=floor, command=[PYTHON, str(BARE / "drift.py"), reference, current]),
                Contestant(name=ours, command=[TIDEMILL, "drift", reference, current, "--json"]),
            ],
            options.rounds if size < SIZES[-1] else min(3, options.rounds),
        )
        lines += [f"{rows:,} against {rows:,} rows, 18 columns.", "", *found.table(floor), ""]
    targets.append(Target(what=f"Drift of {rows:,} rows: wall", value=found.ratio(ours, floor), limit=LIMIT))
    return Result(job="drift", lines=lines[:-1], targets=targets)
