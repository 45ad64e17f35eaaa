"""From rows to a registered model by hand: ``python register.py FILE ROWS FOLDER``.

The first ROWS rows train: as many as train at Tidemill, which holds the others out and judges on them.
"""

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import xgboost

NUMBERS = [f"n{i}" for i in range(10)]
PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 6,
    "eta": 0.1,
    "nthread": os.cpu_count(),
    "seed": 1,
}


def main(source: str, rows: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"{name}::FLOAT AS {name}" for name in NUMBERS)
    found = duckdb.execute(f"SELECT {columns}, label FROM '{source}' LIMIT {rows}").fetchnumpy()
    x = np.column_stack([np.ma.filled(found[name], np.nan) for name in NUMBERS])
    train = xgboost.QuantileDMatrix(x, np.asarray(found["label"]), nthread=PARAMETERS["nthread"])
    booster = xgboost.train(PARAMETERS, train, 100)
    booster.save_model(folder / "model.ubj")
    with sqlite3.connect(folder / "registry.sqlite") as registry:
        registry.execute("CREATE TABLE IF NOT EXISTS m (version INTEGER PRIMARY KEY, parameters TEXT, made REAL)")
        registry.execute("INSERT INTO m (parameters, made) VALUES (?, ?)", (json.dumps(PARAMETERS), time.time()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
