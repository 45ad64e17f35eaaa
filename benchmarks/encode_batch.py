"""Encode 1,000,000 rows x 20 columns (10 numbers, 10 strings) with one thread."""

from __future__ import annotations

import sys
import time

import duckdb
import numpy as np
import pyarrow as pa

from tidemill.features.encode import BatchEncoder
from tidemill.features.learn import draft_plan, learn_categories, settle

ROWS = 1_000_000


def main() -> None:
    pa.set_cpu_count(1)
    rng = np.random.default_rng(1)
    columns = {f"n{i}": rng.normal(size=ROWS) for i in range(7)}
    columns |= {f"i{i}": rng.integers(0, 1000, ROWS) for i in range(3)}
    words = [np.array([f"category number {j}" for j in range(3 + 10 * i)]) for i in range(10)]
    columns |= {f"s{i}": pa.array(words[i][rng.integers(0, len(words[i]), ROWS)]) for i in range(10)}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    session = Session(table)
    names = table.column_names
    start = time.perf_counter()
    learned = learn_categories(session, "FROM t", table.schema, features=names)
    print(f"learn_categories            {time.perf_counter() - start:.3f} s")
    for style in ("tree", "linear"):
        draft = draft_plan(table.schema, learned, features=names, style=style)
        x = np.empty((ROWS, draft.width), draft.dtype)
        fill(BatchEncoder(draft), table.to_batches(max_chunksize=65_536), x)
        start = time.perf_counter()
        plan = settle(draft, x)
        settled = time.perf_counter() - start
        encoder = BatchEncoder(plan)
        for size in (65_536, ROWS):
            batches = table.to_batches(max_chunksize=size)
            best = min(fill(encoder, batches, x) for _ in range(3))
            print(f"{style:7} width {plan.width:4} batches of {size:8}: {best:.3f} s  (settle {settled:.3f} s)")


def fill(encoder: BatchEncoder, batches: list[pa.RecordBatch], x: np.ndarray) -> float:
    start, row = time.perf_counter(), 0
    for batch in batches:
        encoder.encode(batch, x[row : row + batch.num_rows])
        row += batch.num_rows
    return time.perf_counter() - start


class Session:
    """Enough of a warehouse session to learn from one table."""

    def __init__(self, table: pa.Table) -> None:
        self.connection = duckdb.connect()
        self.connection.register("t", table)

    def query(self, sql: str, relations: object = None) -> pa.RecordBatchReader:
        return self.connection.execute(sql).to_arrow_reader(65_536)


if __name__ == "__main__":
    sys.exit(main())
