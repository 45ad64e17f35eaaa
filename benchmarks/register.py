"""From rows to a registered model: ten numbers, 100 trees."""

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

SIZES = {10_000: 1.5, 1_000_000: 1.15}

SQL = """
CREATE OR REPLACE MODEL m
OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', tree_method = 'HIST', max_iterations = 100, early_stop = FALSE,
         learn_rate = 0.1, max_tree_depth = 6, subsample = 1.0, input_label_cols = ['label'])
AS SELECT n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, label FROM '{source}';
"""


def run(options: Options) -> Result:
    lines: list[str] = []
    targets: list[Target] = []
    for size, limit in SIZES.items():
        rows = options.rows(size) if size > 10_000 else size
        source = table("numbers", rows)
        folder = project(f"register_{size}", {"sql/m.sql": SQL.format(source=source)})
        by_hand = OUT / f"register_by_hand_{size}"
        ours, bare = "`tidemill run`", "by hand"
        trained = rows - (10_000 if rows > 50_000 else round(rows * 0.2))
        script = [PYTHON, str(BARE / "register.py"), str(source), str(trained), str(by_hand)]
        found = interleave(
            [
                Contestant(name=bare, command=script, before=lambda at=by_hand: shutil.rmtree(at, ignore_errors=True)),
                Contestant(name=ours, command=[TIDEMILL, "run"], folder=folder, before=lambda at=folder: forget(at)),
            ],
            options.rounds,
        )
        lines += ["", f"{rows:,} rows, {trained:,} of them train; {options.rounds} rounds.", "", *found.table(bare)]
        targets.append(
            Target(what=f"Registered model, {size:,} rows: wall", value=found.ratio(ours, bare), limit=limit)
        )
    return Result(job="register", lines=lines[1:], targets=targets)
