"""Cleaning functions over 1 M rows: against the statement a person writes by hand, and against distinct values first.

Each pair answers for the same column in the same engine session, in turns. The hand-written statement does less: it
knows the one form its column has (or the four forms of the dates), where the function tells what is malformed.

Rows are read from memory, as they come out of a subquery, and from Parquet, as tables rest: there the engine works on
each different value of a row group once, as long as a function answers all rows of a batch in one way.
"""

from __future__ import annotations

import statistics
import tempfile
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
        "CATEGORY with edits",
        f"CLEAN.CATEGORY(name, {CITIES}, distance => 1)",
        "CASE WHEN trim(name) IN ('City 1', 'City 2', 'City 3', 'City 4', 'City 5') THEN trim(name) END",
    ),
    (
        "the same, distinct_first",
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
    "SELECT count(COLUMNS(*)) FROM CLEAN.LATEST(TABLE rows_of, 'k', 'i')",
    (
        "SELECT count(COLUMNS(*)) FROM "
        "(SELECT * FROM rows_of QUALIFY row_number() OVER (PARTITION BY k ORDER BY i DESC) = 1)"
    ),
)
PLACES = ("in_memory", "in_parquet")


def run(options: Options) -> Result:
    rows = options.rows(1_000_000)
    how = "medians of CPU seconds, and the median of the rounds' ratios"
    lines = [
        f"{rows:,} rows, 2 threads; {options.rounds} rounds in turns; {how}.",
        "",
        "| | memory: s | by hand s | x by hand | Parquet: s | by hand s | x by hand |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory(prefix="tidemill-cleaning-") as folder, duckdb.connect() as engine:
        engine.execute("SET threads = 2")
        engine.execute(DATA.replace("TABLE t", "TABLE in_memory").replace("ROWS", str(rows)))
        engine.execute(f"COPY in_memory TO '{folder}/t.parquet' (COMPRESSION zstd, PARQUET_VERSION v2)")
        engine.execute(f"CREATE VIEW in_parquet AS FROM '{folder}/t.parquet'")
        for name, ours, hand in PAIRS:
            queries = [f"SELECT count(v) FROM (SELECT {value} AS v FROM rows_of)" for value in (ours, hand)]
            lines.append(_line(engine, name, *queries, options))
        lines.append(_line(engine, *LATEST, options))
    return Result(job="cleaning", lines=lines, targets=[])


def _line(engine: duckdb.DuckDBPyConnection, name: str, ours: str, hand: str, options: Options) -> str:
    statement = parse_text(ours, file="q.sql", dialect="duckdb")[0]
    ours = bind_query(statement.query, views={}).sql  # type: ignore[union-attr]
    cells = []
    for place in PLACES:
        sides = [sql.replace("rows_of", place) for sql in (ours, hand)]
        rounds = [[_seconds(engine, sql) for sql in sides] for _ in range(options.rounds)]
        mine, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
        ratio = statistics.median(left / right for left, right in rounds)
        cells += [f"{mine:.3f}", f"{theirs:.3f}", f"{ratio:.1f}"]
    return f"| {name} | {' | '.join(cells)} |"


def _seconds(engine: duckdb.DuckDBPyConnection, sql: str) -> float:
    began = time.process_time()
    engine.execute(sql).fetchall()
    return time.process_time() - began
