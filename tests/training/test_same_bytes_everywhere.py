"""Two processes with different hash seeds, on machines of different size, write the same version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from tidemill.evaluation.judge import judge
from tidemill.model_types.table import MODEL_TYPES
from tidemill.training.task import TrainTask
from tidemill.training.train import train
from tidemill.warehouse.duckdb.lake import open_lake

folder = Path(sys.argv[1])
rows = '''SELECT hash(range) % 1000 / 7.0 AS n, 'c' || hash(range + 5) % 9 AS c,
          DATE '2020-01-01' + (range % 40)::INT AS d,
          'l' || (hash(range) % 3 + hash(range + 5) % 2) AS label FROM range(60000)'''
lake = open_lake(folder / ".tidemill", search_path=folder, threads=2)
for kind, label in (("LOGISTIC_REG", "label"), ("BOOSTED_TREE_CLASSIFIER", "label"), ("LINEAR_REG", "n")):
    row = MODEL_TYPES[kind]
    options = {option.name.lower(): option.default for option in row.options if option.status == "supported"}
    with lake.session() as session:
        task = TrainTask(
            session=session, sql=rows, name="m", model_type=row,
            options=options
            | {"input_label_cols": [label], "max_iterations": 5, "subsample": 0.7, "enable_global_explain": True},
            seed=3, threads=2,
        )
        print(kind, train(task, judge=judge).digest)
"""


def test_processes_with_other_hash_seeds_and_other_numbers_of_cores_write_the_same_version(tmp_path: Path) -> None:
    answers = []
    for seed, cores in (("1", "1"), ("2", "4")):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder)],
            env=os.environ | {"PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": cores},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout)
    assert answers[0] == answers[1]
    assert answers[0].count("\n") == 3
