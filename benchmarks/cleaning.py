"""Cleaning functions over 10 M rows: against the statement a person writes by hand, and against distinct values first.

Each pair answers for the same column in the same engine session, in turns. The hand-written statement does less: it
knows the one form its column has (or the four forms of the dates), where the function tells what is malformed.
"""

from __future__ import annotations

import statistics
import time

import duckdb

from benchmarks.common import Options, Result
from tidemill.sql.bind import bind_query
from tidemill.sql.parse import parse_text

DATA = """
CREATE TABLE t AS
SELECT i, (i % 3650)::INTEGER AS k, CASE i % 4 WHEN 0 THEN strftime(q, '%Y-%m-%d') WHEN 1 THEN strftime(q, '%d/%m/%Y')
    WHEN 2 THEN strftime(q, '%d %b %y') ELSE strftime(q, '%d. %B %Y') END AS dates, strftime(q, '%Y-%m-%d') AS iso,
  format('{:,}', (i * 7919) % 1000003) AS grouped, '$ ' || format('{:,.2f}', ((i * 7919) % 1000003) / 100.0) AS money,
  ((i * 7919) % 1000003)::VARCHAR AS plain, '  City ' || (i % 500) AS name,
  CASE WHEN i % 10 = 0 THEN NULL ELSE ((i * 31) % 1009) / 7.0 END AS y
FROM (SELECT i, DATE '2015-01-01' + (i % 3650)::INTEGER AS q FROM range(ROWS) AS r(i))
"""
FORMS = "['%Y-%m-%d', '%d/%m/%Y', '%d %b %y', '%d. %B %Y']"
CITIES = "['City 1', 'City 2', 'City 3', 'City 4', 'City 5']"
PAIRS = (
    (
        "NULLS(name)",
        "CLEAN.NULLS(name)",
        "CASE WHEN lower(trim(name)) IN ('', 'n/a', 'null', '-') THEN NULL ELSE name END",
    ),
    ("TEXT(name)", "CLEAN.TEXT(name)", r"trim(regexp_replace(name, '\s+', ' ', 'g'))"),
    ("FOLD(name)", "CLEAN.FOLD(name)", "trim(regexp_replace(lower(strip_accents(name)), '[^a-z0-9]+', ' ', 'g'))"),
    ("NUMBER of 12345", "CLEAN.NUMBER(plain)", "TRY_CAST(plain AS DOUBLE)"),
    ("NUMBER of 12,345", "CLEAN.NUMBER(grouped)", "TRY_CAST(replace(grouped, ',', '') AS DOUBLE)"),
    ("NUMBER of $ 1,234.50", "CLEAN.NUMBER(money)", "TRY_CAST(regexp_replace(money, '[$, ]', '', 'g') AS DOUBLE)"),
    ("DATE of ISO dates", "CLEAN.DATE(iso)", "TRY_CAST(iso AS DATE)"),
    ("DATE of four forms", "CLEAN.DATE(dates, day_first => TRUE)", f"try_strptime(dates, {FORMS})::DATE"),
    (
        "the same, distinct_first",
        "CLEAN.DATE(dates, day_first => TRUE, distinct_first => TRUE)",
        f"try_strptime(dates, {FORMS})::DATE",
    ),
    (
        "CATEGORY with edits, distinct_first",
        f"CLEAN.CATEGORY(name, {CITIES}, distance => 1, distinct_first => TRUE)",
        "CASE WHEN trim(name) IN ('City 1', 'City 2', 'City 3', 'City 4', 'City 5') THEN trim(name) END",
    ),
    ("FILL mean by group", "CLEAN.FILL(y, 'mean') OVER (PARTITION BY k)", "coalesce(y, avg(y) OVER (PARTITION BY k))"),
    (
        "RARE",
        "CLEAN.RARE(name, least => 5) OVER ()",
        "CASE WHEN count(*) OVER (PARTITION BY name) < 5 THEN '' ELSE name END",
    ),
    ("MAJORITY by group", "CLEAN.MAJORITY(name) OVER (PARTITION BY k)", "mode(name) OVER (PARTITION BY k)"),
)
LATEST = (
    "LATEST of 3,650 keys",
    "SELECT count(*), sum(y) FROM CLEAN.LATEST(TABLE t, 'k', 'i')",
    "SELECT count(*), sum(y) FROM (SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY i DESC) = 1)",
)


def run(options: Options) -> Result:
    rows = options.rows(10_000_000)
    lines = [
        f"{rows:,} rows, 2 threads; {options.rounds} rounds in turns; medians, and the median of the rounds' ratios.",
        "",
        "| | s | by hand s | x by hand |",
        "|---|---|---|---|",
    ]
    with duckdb.connect(config={"threads": 2}) as engine:
        engine.execute(DATA.replace("ROWS", str(rows)))
        for name, ours, hand in PAIRS:
            queries = [f"SELECT count(v) FROM (SELECT {value} AS v FROM t)" for value in (ours, hand)]
            lines.append(_line(engine, name, *queries, options))
        lines.append(_line(engine, *LATEST, options))
    return Result(job="cleaning", lines=lines, targets=[])


def _line(engine: duckdb.DuckDBPyConnection, name: str, ours: str, hand: str, options: Options) -> str:
    statement = parse_text(ours, file="q.sql", dialect="duckdb")[0]
    ours = bind_query(statement.query, views={}).sql  # type: ignore[union-attr]
    rounds = [(_seconds(engine, ours), _seconds(engine, hand)) for _ in range(options.rounds)]
    mine, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(left / right for left, right in rounds)
    return f"| {name} | {mine:.2f} | {theirs:.2f} | {ratio:.2f} |"


def _seconds(engine: duckdb.DuckDBPyConnection, sql: str) -> float:
    began = time.perf_counter()
    engine.execute(sql).fetchall()
    return time.perf_counter() - began
