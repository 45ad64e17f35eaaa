"""40 checks of a table that is there: `tidemill check` against one statement by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common import BARE, PYTHON, TIDEMILL, Contestant, Options, Result, Target, interleave, prepare, project
from benchmarks.contracts_data import table

HAND, CHECK, BUILT = "by hand, one statement", "`tidemill check`", "by hand, on the lake's file"


def statement(file: Path, rows: int) -> str:
    """The same 40 checks as the script by hand has."""
    from benchmarks.bare.contracts import MEANS, NOT_NULL, PATTERNS, RANGES, VALUES

    lines = ["id NOT NULL UNIQUE", *(f"{column} NOT NULL" for column in NOT_NULL if column != "id")]
    lines += [f"CHECK (count(*) = {rows})", "CHECK (label IN (0, 1))", "FOREIGN KEY (c3) REFERENCES dim (c3)"]
    lines += [f"CHECK ({column} BETWEEN {low} AND {high})" for column, (low, high) in RANGES.items()]
    lines += [f"CHECK (avg({column}) BETWEEN {low} AND {high})" for column, (low, high) in MEANS.items()]
    lines += [f"CHECK (regexp_matches({column}, '{pattern}'))" for column, pattern in PATTERNS.items()]
    lines += [f"CHECK ({column} IN {values})" for column, values in VALUES.items()]
    return f"CREATE TABLE q ({', '.join(lines)}) AS SELECT * FROM '{file}';\n"


def run(options: Options) -> Result:
    lines: list[str] = []
    targets: list[Target] = []
    for full, limit in ((100_000, 2.0), (10_000_000, 1.2)):
        rows = options.rows(full)
        file, dim = table(rows), table(0)
        folder = project(
            f"contracts_{rows}",
            {"sql/dim.sql": f"CREATE TABLE dim AS SELECT * FROM '{dim}';\n", "sql/q.sql": statement(file, rows)},
        )
        build = prepare([TIDEMILL, "run"], folder=folder)
        prepare([TIDEMILL, "check"], folder=folder)
        (stored,) = (folder / ".tidemill" / "lake" / "data" / "main" / "q").glob("*.parquet")
        script = [PYTHON, str(BARE / "contracts.py")]
        found = interleave(
            [
                Contestant(name=HAND, command=[*script, str(file), str(dim), str(rows)]),
                Contestant(name=BUILT, command=[*script, str(stored), str(dim), str(rows)]),
                Contestant(name=CHECK, command=[TIDEMILL, "check"], folder=folder),
            ],
            options.rounds,
        )
        lines += [
            f"{rows:,} rows of 20 columns, 40 checks that hold; {options.rounds} rounds.",
            f"The run that loaded and checked them took {build.wall_s:.3g} s (peak {build.peak_mb:.0f} MB).",
            "",
            *found.table(HAND),
            "",
        ]
        targets.append(Target(what=f"40 checks, {rows:,} rows: wall", value=found.ratio(CHECK, HAND), limit=limit))
    return Result(job="contracts", lines=lines, targets=targets)
