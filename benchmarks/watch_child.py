"""One measurement of `watch`, in a process of its own: ``python -m benchmarks.watch_child ROWS FOLDER``.

Prints what one pass of the monitor over a day of that many answers took: seconds, seconds of CPU, the largest memory.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.project import Project, open_project
from tidemill.serving.log.tables import PREDICTIONS_TABLE, Taken, write_taken

DAY = datetime(2026, 3, 2, tzinfo=UTC)
AT_A_TIME = 1_000_000
NUMBERS = [f"n{place}" for place in range(10)]
TEXTS = [f"c{place}" for place in range(6)]
ROW = ", ".join(
    [f"(random() * 100)::DOUBLE AS {name}" for name in NUMBERS]
    + [f"'v' || (random() * 20)::INT AS {name}" for name in TEXTS]
    + [f"TIMESTAMP '2026-01-01' + to_seconds((random() * 8000000)::BIGINT) AS t{place}" for place in range(2)]
)
STATEMENTS = f"""
CREATE TABLE seen AS SELECT *, (n0 + n1 + random() * 50) > 125 AS y FROM (SELECT {ROW} FROM range(200000));
CREATE OR REPLACE MODEL m OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['y']) AS SELECT * FROM seen;
"""
SENT = ", ".join(
    [f"'{name}', round(random() * 100, 4)" for name in NUMBERS]
    + [f"'{name}', 'v' || (random() * 20)::INT" for name in TEXTS]
    + ["'t0', '2026-01-01T00:00:00'", "'t1', '2026-02-01T00:00:00'"]
)
ANSWERS = f"""
SELECT 'r' || (range + FIRST) AS id, TIMESTAMP '2026-03-02' + to_microseconds((range + FIRST) * 86400000000 // ALL)
       AS "at", 'm' AS model, 1::BIGINT AS version, '' AS digest, 'm' AS deployment, 'champion' AS route,
       0.0::DOUBLE AS share, range::VARCHAR AS "key", json_object({SENT})::VARCHAR AS inputs,
       CASE WHEN random() > 0.5 THEN 'true' ELSE 'false' END AS prediction, random() AS score,
       '{{"false":0.5,"true":0.5}}' AS probabilities, random() * 5 AS latency_ms, '' AS trace, '' AS principal,
       1::BIGINT AS batch
FROM range(ROWS)
"""


def main() -> None:
    rows, folder = int(sys.argv[1]), Path(sys.argv[2])
    (folder / "sql").mkdir(parents=True)
    (folder / "tidemill.toml").write_text("[deployments.m]\n")
    (folder / "sql" / "m.sql").write_text(STATEMENTS)
    os.chdir(folder)
    now = [DAY]
    with open_project(folder, clock=Clock(now=lambda: now[0])) as project:
        project.run()
        project.deploy("m", override="a benchmark", why="a benchmark")
        for first in range(0, rows, AT_A_TIME):
            add(project, first, min(AT_A_TIME, rows - first), rows)
        now[0] = DAY + timedelta(days=1, hours=1)
        began, used = time.perf_counter(), time.process_time()
        (found,) = project.monitor()
        assert found.error is None, found.error
        print(
            json.dumps(
                {
                    "wall_s": time.perf_counter() - began,
                    "cpu_s": time.process_time() - used,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "figures": found.measurements,
                }
            )
        )


def add(project: Project, first: int, count: int, rows: int) -> None:
    """Some answers into the lake, as a collector would bring them."""
    sql = ANSWERS.replace("FIRST", str(first)).replace("ALL", str(rows)).replace("ROWS", str(count))
    warehouse, name = project.warehouse, f"answers-{first}"
    with warehouse.session() as session:
        staged = warehouse.stage(session, sql, {}, table=PREDICTIONS_TABLE, attempt=name, system=True)
    message = write_taken(Taken(predictions={}, labels={}, batch=1))
    warehouse.append(staged, run_id=name, step="collect", guard=lambda: None, message=message)


if __name__ == "__main__":
    main()
