"""Erasing one of ten million people, proof included, against the engine writing the file without the row."""

from __future__ import annotations

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
    recall,
    remember,
)
from benchmarks.data import table

ROWS = 10_000_000
WHO = "4711"


def run(options: Options) -> Result:
    rows = options.rows(ROWS)
    source = table("mixed", rows)
    folder = project("erase", {"sql/people.sql": f"CREATE TABLE people AS SELECT * FROM '{source}';\n"})
    forget(folder)
    prepare([TIDEMILL, "run"], folder=folder)
    remember(folder)
    ours, again, bare = "`tidemill erase --yes --now`", "`tidemill erase` (only looks)", "the engine by hand"
    by_hand = [PYTHON, str(BARE / "erase.py"), str(source), str(OUT / "erased_by_hand.parquet"), WHO]

    def as_before() -> None:
        recall(folder)
        (folder / "erasures.jsonl").unlink(missing_ok=True)

    who = f"id={WHO}"
    found = interleave(
        [
            Contestant(name=bare, command=by_hand),
            Contestant(name=ours, command=[TIDEMILL, "erase", who, "--yes", "--now"], folder=folder, before=as_before),
            Contestant(name=again, command=[TIDEMILL, "erase", who], folder=folder, before=as_before),
        ],
        options.rounds,
    )
    return Result(
        job="erase",
        lines=[f"{rows:,} rows, 20 columns, in one file; {options.rounds} rounds.", "", *found.table(bare)],
        targets=[Target(what="Erasing 1 of 10 M people: wall", value=found.ratio(ours, bare), limit=1.3)],
    )
