"""One measurement of `labels`, in a process of its own: ``collect ROWS FOLDER`` or ``join ROWS FOLDER``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tidemill.core.clock import Clock
from tidemill.serving.labels.affected import affected
from tidemill.serving.labels.joined import Part, outcomes_sql
from tidemill.serving.labels.maturity import learn_maturity
from tidemill.serving.log.collect import Collector
from tidemill.serving.log.records import PredictionRecord, encode
from tidemill.serving.log.tables import LABELS_TABLE, PREDICTIONS_TABLE, Taken, log_views, write_taken
from tidemill.serving.log.writer import LogWriter
from tidemill.warehouse.duckdb.lake import Lake, open_lake

BEGIN = datetime(2026, 9, 1)  # noqa: DTZ001 - times of the log are in UTC, without a zone
INPUTS = (
    b'{"rows":[{"age":%d,"income":52.5,"region":"north","since":"2021-03-04","plan":"basic","visits":17,'
    b'"spend":123.45,"device":"mobile"}]}'
)

ANSWERS = f"""
SELECT lpad(range::VARCHAR, 26, '0') AS id, TIMESTAMP '{BEGIN}' + to_microseconds(range * 8640) AS "at",
       'churn' AS model, 3::BIGINT AS version, '' AS digest, 'churn' AS deployment, 'champion' AS route,
       0.0::DOUBLE AS share, 'k' || range % 1000000 AS "key", '{{"age":41}}' AS inputs,
       CASE WHEN range % 3 = 0 THEN 'yes' ELSE 'no' END AS prediction, (range % 100) / 100.0::DOUBLE AS score,
       '{{"no":0.25,"yes":0.75}}' AS probabilities, 1.0::DOUBLE AS latency_ms, '' AS trace, '' AS principal,
       1::BIGINT AS batch
FROM range(ROWS)
"""
LABELS = f"""
SELECT lpad(range::VARCHAR, 26, '0') AS prediction_id, NULL::VARCHAR AS "key", 'churn' AS deployment,
       'churn' AS model, NULL::TIMESTAMP AS "at", CASE WHEN range % 4 = 0 THEN 'yes' ELSE 'no' END AS label,
       TIMESTAMP '{BEGIN}' + to_microseconds(range * 8640) + INTERVAL 1 HOUR AS arrived_at, 'http' AS source,
       '' AS principal, (range // 100)::VARCHAR AS request, range % 100 AS number, NULL::TIMESTAMP AS known_at,
       2::BIGINT AS batch
FROM range(ROWS) WHERE range % 10 > 0
"""


def main() -> None:
    verb, rows, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps(collect(rows, folder) if verb == "collect" else join(rows, folder)))


def collect(rows: int, folder: Path) -> dict[str, float]:
    """Fill a spool, then carry it into the lake on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with closing(LogWriter(folder / "spool", worker="w0", clock=Clock())) as log:
        for number in range(rows):
            log.append(encode(_answer(number)))
    with closing(open_lake(folder / "keep", search_path=folder, threads=1)) as lake:
        lake.make_ready()
        collector = Collector(lake, folder / "spool", clock=Clock(), guard=lambda: None)
        return timed(collector.collect)


def join(rows: int, folder: Path) -> dict[str, Any]:
    """Questions about answers and labels that are in the lake."""
    with closing(open_lake(folder / "keep", search_path=folder)) as lake:
        _put(lake, ANSWERS.replace("ROWS", str(rows)), PREDICTIONS_TABLE, batch=1)
        _put(lake, LABELS.replace("ROWS", str(rows)), LABELS_TABLE, batch=2)
        with lake.session(system=log_views(folder / "spool")) as session:
            right = "SELECT avg((prediction = label)::INTEGER) FROM {} AS o"
            by_hand = (
                "(SELECT p.prediction, l.label FROM tidemill_log.predictions p"
                " LEFT JOIN tidemill_log.labels l ON l.prediction_id = p.id)"
            )
            hour = Part(deployment="churn", since=BEGIN, until=BEGIN + timedelta(hours=1))
            return {
                "a plain join by id, which minds no revisions": timed(lambda: session.fetch(right.format(by_hand))),
                "`tidemill.outcomes`, all": timed(lambda: session.fetch(right.format("tidemill.outcomes"))),
                "an hour of it": timed(lambda: session.fetch(right.format(f"({outcomes_sql(hour)})"))),
                "how labels come in": timed(lambda: learn_maturity(session, "churn", as_of=BEGIN + timedelta(days=2))),
                "which hours a batch of labels for all touched": timed(
                    lambda: affected(session, "churn", since=1, width=timedelta(hours=1))
                ),
                "which hours are touched when nothing came": timed(
                    lambda: affected(session, "churn", since=2, width=timedelta(hours=1))
                ),
            }


def timed(work: Callable[[], object]) -> dict[str, float]:
    wall, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    cpu = after.user - before.user + after.system - before.system
    return {"wall_s": time.perf_counter() - wall, "cpu_s": cpu}


def _answer(number: int) -> PredictionRecord:
    return PredictionRecord(
        id=f"{number:026d}",
        at_ns=1_790_000_000_000_000_000 + number * 1_000_000,
        deployment="churn",
        model="churn",
        version=3,
        digest="d" * 64,
        route="champion",
        share=0.0,
        n=1,
        keys=[f"k{number % 100_000}"],
        inputs=INPUTS % (number % 90),
        predictions=["yes" if number % 3 else "no"],
        probabilities=[[number % 100 / 100, 1 - number % 100 / 100]],
        classes=("no", "yes"),
        latency_us=900,
        principal="shop",
    )


def _put(lake: Lake, sql: str, table: str, *, batch: int) -> None:
    with lake.session() as session:
        staged = lake.stage(session, sql, None, table=table, attempt=f"b{batch}", system=True)
    message = write_taken(Taken(predictions={}, labels={}, batch=batch))
    lake.append(staged, run_id=f"b{batch}", step="collect", guard=lambda: None, message=message)


if __name__ == "__main__":
    main()
