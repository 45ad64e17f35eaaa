"""The main job by hand: ``python main_job.py FILE FOLDER``.

Parquet to a Parquet table, strings to codes, NULL to the mean, 10,000 rows held out, 100 trees, metrics, files.
"""

import json
import os
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xgboost

HELD_OUT = 10_000
PARAMETERS = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_depth": 6,
    "eta": 0.3,
    "nthread": os.cpu_count(),
    "seed": 1,
}


def main(source: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "t.parquet"
    with duckdb.connect() as engine:
        engine.execute(f"COPY (SELECT * FROM '{source}') TO '{table}' (FORMAT parquet, COMPRESSION zstd)")
    x, y, vocabularies = encode(table)
    held_out = np.zeros(len(y), dtype=bool)
    held_out[np.random.default_rng(1).permutation(len(y))[:HELD_OUT]] = True
    means = fill(x, ~held_out)
    x_eval, y_eval = x[held_out], y[held_out]
    train = xgboost.QuantileDMatrix(x[~held_out], y[~held_out], nthread=PARAMETERS["nthread"])
    watched = xgboost.QuantileDMatrix(x_eval, y_eval, ref=train, nthread=PARAMETERS["nthread"])
    booster = xgboost.train(PARAMETERS, train, 100, evals=[(train, "train"), (watched, "eval")], verbose_eval=False)
    booster.save_model(folder / "model.ubj")
    metrics = judge(y_eval, booster.inplace_predict(x_eval))
    (folder / "model.json").write_text(json.dumps({"vocabularies": vocabularies, "means": means, "metrics": metrics}))


def encode(table: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[str]]]:
    """A float32 matrix, column by column: numbers with NaN for NULL, strings as codes from 1 with 0 for NULL."""
    schema = pq.read_schema(table)
    names = [name for name in schema.names if name not in ("id", "label")]
    strings = [name for name in names if schema.field(name).type == "string"]
    file = pq.ParquetFile(table, read_dictionary=strings)
    x = np.empty((file.metadata.num_rows, len(names)), dtype=np.float32)
    vocabularies = {}
    for place, name in enumerate(names):
        column = file.read(columns=[name]).column(0)
        if name in strings:
            column = column.unify_dictionaries().combine_chunks()
            words = column.dictionary.to_pylist() if len(column) else []
            order = np.argsort(words)
            codes = np.empty(len(words) + 1)
            codes[order], codes[-1] = np.arange(1, len(words) + 1), 0
            x[:, place] = codes[pc.fill_null(column.indices, len(words)).to_numpy()]
            vocabularies[name] = [words[at] for at in order]
        else:
            x[:, place] = pc.cast(column, "float64").to_numpy()
    return x, file.read(columns=["label"]).column(0).to_numpy(), vocabularies


def fill(x: np.ndarray, train: np.ndarray) -> list[float]:
    means = []
    for column in x.T:
        missing = np.isnan(column)
        mean = float(column[train & ~missing].mean(dtype=np.float64))
        column[missing] = mean
        means.append(mean)
    return means


def judge(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    called = p > 0.5
    hits = int((called & (y == 1)).sum())
    precision, recall = hits / max(1, int(called.sum())), hits / int((y == 1).sum())
    order = np.argsort(p, kind="stable")
    _, first, count = np.unique(p[order], return_index=True, return_counts=True)
    ranks = np.empty(len(p))
    ranks[order] = np.repeat(first + (count + 1) / 2, count)
    positive, negative = int((y == 1).sum()), int((y == 0).sum())
    return {
        "precision": precision,
        "recall": recall,
        "f1_score": 2 * precision * recall / max(precision + recall, 1e-9),
        "accuracy": float((called == (y == 1)).mean()),
        "log_loss": float(-np.log(np.where(y == 1, p, 1 - p)).mean()),
        "roc_auc": float((ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * negative)),
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
