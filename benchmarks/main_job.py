"""The main job: from a Parquet file to a table and a trained, judged, registered model."""

from __future__ import annotations

import shutil

from benchmarks.common import (
    BARE,
    OUT,
    PYTHON,
    TIDEMILL,
    Contestant,
    Options,
    Result,
    Target,
    forget,
    interleave,
    project,
)
from benchmarks.data import table

ROWS = 1_000_000

SQL = """
CREATE OR REPLACE TABLE t AS SELECT * FROM '{source}';

CREATE OR REPLACE MODEL m
OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', tree_method = 'HIST', max_iterations = 100, early_stop = FALSE,
         input_label_cols = ['label'])
AS SELECT * EXCLUDE (id) FROM t;
"""


def run(options: Options) -> Result:
    rows = options.rows(ROWS)
    source = table("mixed", rows)
    folder = project("main", {"sql/main.sql": SQL.format(source=source)})
    by_hand = OUT / "main_by_hand"
    ours, bare = "`tidemill run`", "by hand"
    found = interleave(
        [
            Contestant(
                name=bare,
                command=[PYTHON, str(BARE / "main_job.py"), str(source), str(by_hand)],
                before=lambda: shutil.rmtree(by_hand, ignore_errors=True),
            ),
            Contestant(name=ours, command=[TIDEMILL, "run"], folder=folder, before=lambda: forget(folder)),
        ],
        options.rounds,
    )
    return Result(
        job="main",
        lines=[f"{rows:,} rows, 20 columns; 100 trees; {options.rounds} rounds.", "", *found.table(bare)],
        targets=[
            Target(what="Main job, 1 M rows x 20: wall", value=found.ratio(ours, bare), limit=1.15),
            Target(what="Main job, 1 M rows x 20: peak memory", value=found.ratio(ours, bare, "peak_mb"), limit=1.5),
        ],
    )
