"""Ten million rows loaded whole, then one per cent more: CSV files that are delivered, a Parquet file that grew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import (
    OUT,
    PYTHON,
    TIDEMILL,
    Options,
    Result,
    Rounds,
    Target,
    forget,
    measure,
    prepare,
    project,
    say,
)

ROWS = 10_000_000
PARTS = 100
MAKE = """
import sys
import duckdb
rows, parts, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
share = rows // parts
# Keys in no order; the last part brings as many old keys as new ones, with a newer time.
columns = '''hash(i)::HUGEINT % 1000000000000 AS id, (i % 9973) / 7 AS amount, i % 100 AS shop,
'n' || i % 5000 AS name, TIMESTAMP '2026-01-01' + INTERVAL (t) SECOND AS updated_at, i % 2 = 0 AS paid'''
old = f'SELECT {columns} FROM (SELECT i, i AS t FROM range({rows}) r(i))'
new = f'''SELECT {columns} FROM (
SELECT CASE WHEN n % 2 = 0 THEN n * 97 % {rows} ELSE {rows} + n END AS i, {rows} + n AS t FROM range({share}) r(n))'''
for part in range(parts):
    span = f'SELECT {columns} FROM (SELECT i, i AS t FROM range({part * share}, {(part + 1) * share}) r(i))'
    duckdb.execute(f"COPY ({span}) TO '{out}/part{part:03}.csv'")
duckdb.execute(f"COPY ({new}) TO '{out}/new.csv'")
duckdb.execute(f"COPY ({old}) TO '{out}/old.parquet'")
duckdb.execute(f"COPY ({old} UNION ALL {new}) TO '{out}/grown.parquet'")
"""
STATEMENT = """
CREATE TABLE orders (id BIGINT PRIMARY KEY, updated_at TIMESTAMP NOT NULL, amount NOT NULL, CHECK (amount >= 0))
OPTIONS (incremental_by = 'updated_at', unique_key = ['id']) AS SELECT * FROM '{source}';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind of source: what the table reads, and how the source is before and after one per cent more."""

    name: str
    reads: str
    first: Callable[[Path], None]
    more: Callable[[Path], None]


def run(options: Options) -> Result:
    rows = options.rows(ROWS)
    made = OUT / f"incremental-{rows}"
    if not (made / "grown.parquet").exists():
        made.mkdir(parents=True, exist_ok=True)
        prepare([PYTHON, "-c", MAKE, str(rows), str(PARTS), str(made)])

    def deliver(folder: Path) -> None:
        shutil.rmtree(folder / "data", ignore_errors=True)
        (folder / "data").mkdir()
        for path in made.glob("part*.csv"):
            (folder / "data" / path.name).hardlink_to(path)

    def put(name: str) -> Callable[[Path], None]:
        def there(folder: Path) -> None:
            (folder / "orders.parquet").unlink(missing_ok=True)
            (folder / "orders.parquet").hardlink_to(made / name)

        return there

    csv = Source(
        name="100 CSV files",
        reads="data/*.csv",
        first=deliver,
        more=lambda folder: (folder / "data" / "new.csv").hardlink_to(made / "new.csv"),
    )
    parquet = Source(name="a Parquet file", reads="orders.parquet", first=put("old.parquet"), more=put("grown.parquet"))
    more = f"then {rows // PARTS:,} more, half of them of keys that are there."
    lines = [f"{rows:,} rows of six columns, keys in no order; {more}"]
    targets: list[Target] = []
    for source in (csv, parquet):
        found, whole, later = _measured(source, options.rounds)
        lines += ["", f"From {source.name}; {options.rounds} rounds.", "", *found.table(whole)]
        limit = 0.05 * found.median(whole, "wall_s") + 1
        what = f"1 % more from {source.name}: wall"
        targets.append(Target(what=what, value=found.median(later, "wall_s"), limit=round(limit, 2), unit="s"))
    return Result(job="incremental", lines=lines, targets=targets)


def _measured(source: Source, rounds: int) -> tuple[Rounds, str, str]:
    """Load whole, then take in the rest, round after round."""
    whole, more = "whole", "1 % more"
    found = Rounds({whole: [], more: []})
    folder = project("incremental", {"sql/orders.sql": STATEMENT.format(source=source.reads)})
    for number in range(rounds):
        forget(folder)
        for name, change in ((whole, source.first), (more, source.more)):
            change(folder)
            taken = measure([TIDEMILL, "run"], folder=folder, log=OUT / "logs" / "incremental.txt")
            found.runs[name].append(taken)
            figures = f"{taken.wall_s:.2f} s, {taken.cpu_s:.2f} s CPU, {taken.peak_mb:.0f} MB"
            say(f"  round {number + 1} {source.name}, {name}: {figures}")
    return found, whole, more
