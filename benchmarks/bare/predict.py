"""Batch predictions by hand: ``python predict.py MODEL FILE RESULT`` (ten numbers; NULL is the mean in MODEL.json)."""

import json
import os
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost


def main(model: str, source: str, result: str) -> None:
    means = json.loads(Path(f"{model}.json").read_text())
    booster = xgboost.Booster(model_file=model)
    booster.set_param({"nthread": os.cpu_count()})
    columns = ", ".join(f"coalesce({name}, {mean!r})::FLOAT AS {name}" for name, mean in means.items())
    schema = pa.schema([("id", pa.int64()), ("predicted_label", pa.int64()), ("probability", pa.float64())])
    rows = duckdb.execute(f"SELECT id, {columns} FROM '{source}'").to_arrow_reader(122_880)
    with pq.ParquetWriter(result, schema, compression="zstd") as writer:
        for batch in rows:
            x = np.empty((batch.num_rows, len(means)), dtype=np.float32)
            for place in range(len(means)):
                x[:, place] = batch.column(place + 1).to_numpy()
            p = booster.inplace_predict(x)
            answer = [batch.column(0), pa.array((p > 0.5).astype(np.int64)), pa.array(p.astype(np.float64))]
            writer.write_batch(pa.RecordBatch.from_arrays(answer, schema=schema))


if __name__ == "__main__":
    main(*sys.argv[1:])
