"""Predictions of many rows: ML.PREDICT to a table, and the batch command to a Parquet file."""

from __future__ import annotations

import json

from benchmarks.common import (
    BARE,
    OUT,
    PYTHON,
    TIDEMILL,
    Contestant,
    Options,
    Result,
    Rounds,
    Target,
    interleave,
    prepare,
    project,
    recall,
    remember,
)
from benchmarks.data import NUMBERS, table

SIZES = (1_000_000, 10_000_000)

MODEL = """
CREATE OR REPLACE MODEL m
OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', tree_method = 'HIST', max_iterations = 100, early_stop = FALSE,
         input_label_cols = ['label'])
AS SELECT n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, label FROM '{source}';
"""

SCORED = """
CREATE OR REPLACE TABLE scored AS
SELECT id, predicted_label, predicted_label_probs[1].prob AS probability
FROM ML.PREDICT(MODEL m, (SELECT * EXCLUDE (label) FROM '{source}'));
"""

# Both probabilities, where the script writes one: what ML.PREDICT gives.
KEPT = "id,predicted_label,predicted_label_probs"

# What the version holds besides the trees, for the script: the mean of each number.
EXPORT = """
import json, sys, tidemill
with tidemill.open(".") as project:
    files = project.stations.load_model("m").files
    open(sys.argv[1], "wb").write(files["booster.json"])
    features = json.loads(files["features.json"])["features"]
    means = {feature["name"]: feature["encoding"]["mean"] for feature in features}
    open(sys.argv[1] + ".json", "w").write(json.dumps(means))
"""


def run(options: Options) -> Result:
    # Fewer rows train here than elsewhere: what matters is how many trees there are, and how deep.
    train = table("numbers", options.rows(100_000))
    found: dict[int, Rounds] = {}
    ours, batch, bare = "`tidemill run`", "`tidemill predict`", "by hand"
    lines: list[str] = []
    for size in SIZES:
        rows = options.rows(size)
        source = table("numbers", rows)
        files = {"sql/m.sql": MODEL.format(source=train), "sql/scored.sql": SCORED.format(source=source)}
        folder = project(f"predict_{size}", files)
        prepare([TIDEMILL, "run"], folder=folder)
        remember(folder)
        model = OUT / "predict_model.json"
        prepare([PYTHON, "-c", EXPORT, str(model)], folder=folder)
        assert set(json.loads((OUT / "predict_model.json.json").read_text())) == set(NUMBERS)
        result = str(OUT / "predicted.parquet")
        found[size] = interleave(
            [
                Contestant(name=bare, command=[PYTHON, str(BARE / "predict.py"), str(model), str(source), result]),
                Contestant(
                    name=ours,
                    command=[TIDEMILL, "run", "scored", "--full-refresh"],
                    folder=folder,
                    before=lambda at=folder: recall(at),
                ),
                Contestant(
                    name=batch,
                    command=[TIDEMILL, "predict", "m", "-i", str(source), "-o", "scored.parquet", "--columns", KEPT],
                    folder=folder,
                    before=lambda at=folder: recall(at),
                ),
            ],
            options.rounds,
        )
        lines += ["", f"{rows:,} rows, ten numbers, 100 trees; {options.rounds} rounds.", "", *found[size].table(bare)]
    few, many = (found[size] for size in SIZES)
    growth = many.median(ours, "peak_mb") / few.median(ours, "peak_mb")
    bare_growth = many.median(bare, "peak_mb") / few.median(bare, "peak_mb")
    lines += ["", f"Peak memory from 1 M to 10 M rows: x{growth:.2f} (by hand: x{bare_growth:.2f})."]
    return Result(
        job="predict",
        lines=lines[1:],
        targets=[
            Target(what="`ML.PREDICT` of 10 M rows to a table: wall", value=many.ratio(ours, bare), limit=1.3),
            Target(what="`tidemill predict` of 10 M rows to a file: wall", value=many.ratio(batch, bare), limit=1.3),
            Target(what="`ML.PREDICT`: peak memory at 10 M over that at 1 M rows", value=growth, limit=1.15),
        ],
    )
