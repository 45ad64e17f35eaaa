"""What a version's held-out rows lead to expect of rows without labels: learnt from scores and columns, and kept.

The columns are read from the snapshot that training read. That takes a scan of the training rows, and fitting a curve
to them some tenths of a second, so what was learnt is kept as plain arrays in ``.tidemill/expected``. Whatever is
missing or damaged there is learnt again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.digest import digest_bytes, digest_value
from tidemill.core.errors import DataError, StateError, StatementError
from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.kept import (
    FORMAT,
    estimator_from_arrays,
    estimator_to_arrays,
    sides_from_arrays,
    sides_to_arrays,
)
from tidemill.evaluation.sides import MOST_COLUMNS, Sides, learn_sides
from tidemill.model_types._arrays import read_arrays, write_arrays
from tidemill.monitoring.estimate import Expectation, learn_expectation, too_few_held
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.held_out import held_out_rows
from tidemill.runner.judging import judged_table
from tidemill.warehouse.control.models import get_version

if TYPE_CHECKING:
    from tidemill.evaluation.estimated import Estimator
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations

FOLDER = "expected"
MOST_KEPT = 100
"""Files in the folder: those that were written last."""

_DIGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What held-out rows lead to expect, or why they do not, and the columns beside the score that it reads.

    Parameters
    ----------
    sides
        None where scores alone count: the expectation's note says why.
    """

    expected: Expectation | str
    sides: Sides | None = None


def learn_expected(stations: Stations, model: LoadedModel, metric: str, columns: Sequence[str]) -> Learnt:
    """Learn from the rows that were held out of a version's training, or read what was learnt of them before.

    Parameters
    ----------
    columns
        The raw columns that may be read beside the score, as the model's manifest spells them.
    """
    facts = ModelFacts(model)
    if not facts.manifest["rows_eval"]:
        return Learnt(expected="not enough data: no rows were held out of training")
    y, scores = facts.evaluation()
    if few := too_few_held(facts.labels, y):
        return Learnt(expected=few)
    found = _kept_or_learnt(stations, facts, columns)
    if found.estimator is None:
        note = f"from scores alone: {found.why}"
        return Learnt(expected=learn_expectation(facts.labels, y, scores, metric=metric, note=note))
    expected = learn_expectation(facts.labels, y, scores, metric=metric, estimator=found.estimator)
    return Learnt(expected=expected, sides=found.sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """An estimator that reads columns beside the score, or why there is none."""

    estimator: Estimator | None = None
    sides: Sides | None = None
    why: str = ""


def _kept_or_learnt(stations: Stations, facts: ModelFacts, columns: Sequence[str]) -> _Beside:
    if not columns:
        return _Beside(why="no column is read beside them")
    if len(columns) > MOST_COLUMNS:
        return _Beside(why=f"the version reads more than {MOST_COLUMNS} columns")
    # What is learnt hangs on the rows that training saw, which the version's digest stands for.
    name = digest_value([FORMAT, facts.model.digest, list(columns)])
    path = stations.store.root.parent / FOLDER / f"{name}.npz"
    found = _kept(path)
    if found is not None:
        return found
    try:
        found = _learnt(stations, facts, columns)
    except (StateError, DataError, StatementError) as error:
        return _Beside(why=str(error))
    _keep(path, found)
    return found


def _learnt(stations: Stations, facts: ModelFacts, columns: Sequence[str]) -> _Beside:
    held = held_out_rows(stations, get_version(stations.db, facts.name, facts.model.version))
    spelt = {name.casefold(): name for name in held.features}
    rows = held.table.select([spelt[name.casefold()] for name in columns]).rename_columns(list(columns))
    sides = learn_sides(rows)
    if sides is None:
        return _Beside(why="no column can be read beside them")
    y, scores = judged_table(stations, facts.model, held.table)
    return _Beside(estimator=learn_estimator(facts.labels, y, scores, sides=sides.columns(rows)), sides=sides)


def _kept(path: Path) -> _Beside | None:
    """What was kept; None where there is nothing, or not what was written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, data = data[:_DIGEST], data[_DIGEST:]
    if digest_bytes(data).encode() != digest:
        return None
    arrays = read_arrays(data)
    if "why" in arrays:
        return _Beside(why=str(arrays["why"]))
    return _Beside(estimator=estimator_from_arrays(arrays), sides=sides_from_arrays(arrays))


def _keep(path: Path, found: _Beside) -> None:
    """Keep what was learnt, behind its digest; where nothing can be written, the next pass learns again."""
    arrays = {"why": np.array(found.why)}
    if found.estimator is not None and found.sides is not None:
        arrays = {**estimator_to_arrays(found.estimator), **sides_to_arrays(found.sides)}
    data = write_arrays(arrays)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_bytes(digest_bytes(data).encode() + data)
        partial.replace(path)
        for old in sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)[MOST_KEPT:]:
            old.unlink(missing_ok=True)
