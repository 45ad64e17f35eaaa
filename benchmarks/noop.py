"""500 statements that are built: a run with nothing to do, a plan with ten changes, and help."""

from __future__ import annotations

import shutil

from benchmarks.common import (
    BARE,
    PYTHON,
    TIDEMILL,
    Contestant,
    Options,
    Result,
    Target,
    interleave,
    prepare,
    project,
    recall,
    remember,
)

STATEMENTS = 500
CHANGED = 10


def statement(number: int) -> str:
    """Every tenth table stands alone; the others read the one before."""
    if number % 10 == 0:
        return (
            f"CREATE OR REPLACE TABLE t{number} AS SELECT {number} AS id, 'a{number}' AS name, {number} * 1.5 AS x;\n"
        )
    read = f"SELECT id + 1 AS id, name, x + {number} AS x FROM t{number - 1}"
    return f"CREATE OR REPLACE TABLE t{number} AS {read};\n"


def run(options: Options) -> Result:
    count = 50 if options.quick else STATEMENTS
    folder = project("noop", {f"sql/t{i:03}.sql": statement(i) for i in range(count)})
    build = prepare([TIDEMILL, "run"], folder=folder)
    remember(folder)
    edited = folder.with_name("noop_edited")
    shutil.rmtree(edited, ignore_errors=True)
    shutil.copytree(folder, edited)
    for number in range(0, count, count // CHANGED):
        (edited / f"sql/t{number:03}.sql").write_text(statement(number).replace("AS id", "+ 0 AS id", 1))
    floor, again, plan, helping = "by hand", "`tidemill run`", "`tidemill plan`, 10 changed", "`tidemill --help`"
    prepare([PYTHON, str(BARE / "noop.py"), str(folder)])
    found = interleave(
        [
            Contestant(name=floor, command=[PYTHON, str(BARE / "noop.py"), str(folder)]),
            Contestant(name=again, command=[TIDEMILL, "run"], folder=folder),
            # A plan remembers what it parsed: each begins as if the files had changed just now.
            Contestant(name=plan, command=[TIDEMILL, "plan"], folder=edited, before=lambda: recall(edited)),
            Contestant(name=helping, command=[TIDEMILL, "--help"], folder=folder),
        ],
        options.rounds,
    )
    return Result(
        job="noop",
        lines=[
            f"{count} statements, each a file; {options.rounds} rounds.",
            f"The first run built them in {build.wall_s:.3g} s ({build.cpu_s:.3g} s CPU, peak {build.peak_mb:.0f} MB).",
            "",
            *found.table(floor),
        ],
        targets=[
            Target(
                what="Nothing to do, 500 statements: wall", value=found.median(again, "wall_s"), limit=0.6, unit="s"
            ),
            Target(
                what="Nothing to do, 500 statements: peak", value=found.median(again, "peak_mb"), limit=100, unit="MB"
            ),
            seconds("`plan`, 10 of 500 changed: wall", found.median(plan, "wall_s"), 1.0),
            seconds("`--help`: wall", found.median(helping, "wall_s"), 0.2),
        ],
    )


def seconds(what: str, value: float, limit: float) -> Target:
    return Target(what=what, value=value, limit=limit, unit="s")
