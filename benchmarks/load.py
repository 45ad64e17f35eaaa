"""Loading CSV into a checked table, against the engine's own copy of the same file into Parquet."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common import (
    BARE,
    OUT,
    PYTHON,
    TIDEMILL,
    Contestant,
    Options,
    Result,
    Target,
    forget,
    interleave,
    prepare,
    project,
)
from benchmarks.data import table

ROWS = 10_000_000

SQL = """
CREATE TABLE t (
  id PRIMARY KEY,
  label NOT NULL,
  CHECK (label IN (0, 1)),
  CHECK (n4 BETWEEN 0 AND 1)
) AS SELECT * FROM '{source}';
"""


def run(options: Options) -> Result:
    rows = options.rows(ROWS)
    source = _as_csv(table("mixed", rows))
    folder = project("load", {"sql/load.sql": SQL.format(source=source)})
    by_hand = OUT / "load_by_hand.parquet"
    ours, bare = "`tidemill run`", "the engine's COPY"
    found = interleave(
        [
            Contestant(name=bare, command=[PYTHON, str(BARE / "load.py"), str(source), str(by_hand)]),
            Contestant(name=ours, command=[TIDEMILL, "run"], folder=folder, before=lambda: forget(folder)),
        ],
        options.rounds,
    )
    return Result(
        job="load",
        lines=[f"{rows:,} rows, 20 columns, 4 checks; {options.rounds} rounds.", "", *found.table(bare)],
        targets=[
            Target(what="Loading 10 M CSV rows: wall", value=found.ratio(ours, bare), limit=1.3),
            Target(
                what="Loading 10 M CSV rows: peak memory", value=found.median(ours, "peak_mb"), limit=4096, unit="MB"
            ),
        ],
    )


def _as_csv(parquet: Path) -> Path:
    """The same table as CSV, written if it is not there."""
    path = parquet.with_suffix(".csv")
    if not path.exists():
        prepare([PYTHON, str(BARE / "load.py"), str(parquet), str(path)])
    return path
