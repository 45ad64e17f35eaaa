"""Times of the batch encoder as JSON: ``python -m benchmarks.encode_batch [ROWS]``. One thread."""

from __future__ import annotations

import json
import sys
import time

import duckdb
import numpy as np
import pyarrow as pa

from tidemill.features.encode import BatchEncoder
from tidemill.features.learn import draft_plan, settle
from tidemill.features.learn_categories import learn_categories

BATCH = 65_536


def main(rows: int) -> None:
    pa.set_cpu_count(1)
    made = table(rows)
    names = made.column_names
    session = Session(made)
    start = time.perf_counter()
    learned = learn_categories(session, "FROM t", made.schema, features=names)
    times = {"learning the categories in SQL": time.perf_counter() - start}
    for style, name in (("tree", "trees"), ("linear", "linear models")):
        draft = draft_plan(made.schema, learned, features=names, style=style)
        x = np.empty((rows, draft.width), draft.dtype)
        fill(BatchEncoder(draft), made, x)
        encoder = BatchEncoder(settle(draft, x))
        times[name] = min(fill(encoder, made, x) for _ in range(3))
    print(json.dumps(times))


def table(rows: int) -> pa.Table:
    rng = np.random.default_rng(1)
    columns = {f"n{i}": rng.normal(size=rows) for i in range(7)}
    columns |= {f"i{i}": rng.integers(0, 1000, rows) for i in range(3)}
    words = [np.array([f"category number {j}" for j in range(3 + 10 * i)]) for i in range(10)]
    columns |= {f"s{i}": pa.array(words[i][rng.integers(0, len(words[i]), rows)]) for i in range(10)}
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def fill(encoder: BatchEncoder, made: pa.Table, x: np.ndarray) -> float:
    start, row = time.perf_counter(), 0
    for batch in made.to_batches(max_chunksize=BATCH):
        encoder.encode(batch, x[row : row + batch.num_rows])
        row += batch.num_rows
    return time.perf_counter() - start


class Session:
    """Enough of a warehouse session to learn from one table."""

    def __init__(self, made: pa.Table) -> None:
        self.connection = duckdb.connect()
        self.connection.register("t", made)

    def query(self, sql: str, _: object = None) -> pa.RecordBatchReader:
        return self.connection.execute(sql).to_arrow_reader(BATCH)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
