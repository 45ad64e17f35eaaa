"""A profile of a Parquet file: `tidemill profile` against a full profile by hand."""

from __future__ import annotations

from benchmarks.common import BARE, PYTHON, TIDEMILL, Contestant, Options, Result, Target, interleave, say
from benchmarks.data import table

SIZES = (100_000, 10_000_000)
LIMIT = 1.2
LIMIT_SMALL = 2.0
LIMIT_MB = 4096


def run(options: Options) -> Result:
    lines: list[str] = []
    targets: list[Target] = []
    for size in SIZES:
        rows = options.rows(size)
        say(f"  {rows:,} rows")
        file = str(table("timed", rows))
        floor, ours = "by hand", "`tidemill profile`"
        script = [PYTHON, str(BARE / "profile.py"), file]
        found = interleave(
            [
                Contestant(name=floor, command=script),
                Contestant(name="DuckDB's SUMMARIZE", command=[*script, "summarize"]),
                Contestant(name=ours, command=[TIDEMILL, "profile", file, "--json"]),
            ],
            options.rounds,
        )
        lines += [f"{rows:,} rows, 22 columns; {options.rounds} rounds.", "", *found.table(floor), ""]
        limit = LIMIT if size == SIZES[-1] else LIMIT_SMALL
        targets.append(Target(what=f"Profile of {rows:,} rows: wall", value=found.ratio(ours, floor), limit=limit))
    targets.append(
        Target(what="Profile of the larger: peak", value=found.median(ours, "peak_mb"), limit=LIMIT_MB, unit="MB")
    )
    return Result(job="profile", lines=lines[:-1], targets=targets)
