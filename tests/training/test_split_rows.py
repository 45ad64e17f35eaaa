"""Which rows train: the documented counts, and the same rows each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tidemill.core.errors import DataError, EmptyDataError
from tidemill.model_types.table import MODEL_TYPES
from tidemill.training.source import open_rows
from tidemill.training.split import Split, split_rows
from tidemill.training.task import TrainTask
from tidemill.warehouse.protocol import Session

Cut = Callable[..., Split]


@pytest.fixture
def cut(session: Session) -> Cut:
    def call(sql: str, *, rows: int, **given: Any) -> Split:
        task = TrainTask(
            session=session,
            sql=sql,
            name="m",
            model_type=MODEL_TYPES["LINEAR_REG"],
            options={"data_split_method": "AUTO_SPLIT", "data_split_eval_fraction": 0.2, **given},
            given=frozenset(given),
            ordered=True,
        )
        return split_rows(open_rows(task), rows)[1]

    return call


def numbered(rows: int, columns: str = "range AS f, range % 7 AS label") -> str:
    return f"SELECT {columns} FROM range({rows})"


@pytest.mark.parametrize(("rows", "evaluated"), [(499, 0), (500, 100), (50_000, 10_000), (50_001, 10_000)])
def test_auto_split_keeps_the_documented_number_of_rows_apart(cut: Cut, rows: int, evaluated: int) -> None:
    split = cut(numbered(rows), rows=rows)
    assert (split.rows_train, split.rows_eval) == (rows - evaluated, evaluated)


@pytest.mark.parametrize(("fraction", "evaluated"), [(0.1, 100), (0.333, 330), (0.0, 0), (0.5, 500)])
def test_random_split_takes_the_fraction_to_two_decimals(cut: Cut, fraction: float, evaluated: int) -> None:
    split = cut(numbered(1000), rows=1000, data_split_method="RANDOM", data_split_eval_fraction=fraction)
    assert split.rows_eval == evaluated


def test_random_split_without_a_fraction_is_the_automatic_one(cut: Cut) -> None:
    assert cut(numbered(499), rows=499, data_split_method="RANDOM").rows_eval == 0


def test_random_split_is_of_the_values_and_not_of_their_order(cut: Cut) -> None:
    forward = cut(numbered(900), rows=900)
    backward = cut(numbered(900) + " ORDER BY range DESC", rows=900)
    assert forward.trains is not None
    assert backward.trains is not None
    assert (forward.trains == backward.trains[::-1]).all()
    assert (forward.trains == cut(numbered(900), rows=900).trains).all()


def test_renaming_a_column_changes_the_random_split(cut: Cut) -> None:
    other = cut(numbered(900, "range AS g, range % 7 AS label"), rows=900)
    assert not np.array_equal(other.trains, cut(numbered(900), rows=900).trains)  # type: ignore[arg-type]


def test_the_count_is_exact_when_many_rows_are_equal(cut: Cut) -> None:
    split = cut("SELECT 1 AS f, 2 AS label FROM range(1000)", rows=1000)
    assert (split.rows_train, split.rows_eval) == (800, 200)
    assert split.trains is not None
    assert split.trains.sum() == 800


def test_few_distinct_rows_are_split_by_their_copies(session: Session) -> None:
    """Four kinds of row, ten thousand of each: a split of whole kinds would evaluate on another population."""
    options = {"data_split_method": "AUTO_SPLIT"}
    task = TrainTask(session=session, sql="SELECT range % 4 AS f, range % 4 AS label FROM range(40_000)", name="m",
                     model_type=MODEL_TYPES["LINEAR_REG"], options=options, ordered=True)  # fmt: skip

    rows, split = split_rows(open_rows(task), 40_000)

    kinds = np.concatenate([batch.column(0).to_numpy() for batch in rows.query("f")])
    assert split.trains is not None
    evaluated = np.bincount(kinds[~split.trains])
    assert evaluated.sum() == 8_000
    assert (abs(evaluated - 2_000) < 150).all()
    (trained,) = [batch.column(0).to_pylist() for batch in rows.query("count(*)", split.where)]
    assert trained == [32_000]


def test_custom_split_evaluates_on_true_and_null(cut: Cut) -> None:
    sql = "SELECT * FROM (VALUES (1, 0, TRUE), (2, 1, FALSE), (3, 0, NULL), (4, 1, FALSE)) AS t(f, label, held)"
    split = cut(sql, rows=4, data_split_method="CUSTOM", data_split_col="held")
    assert split.trains is not None
    assert split.trains.tolist() == [False, True, False, True]


def test_sequential_split_evaluates_on_the_last_rows(cut: Cut) -> None:
    sql = numbered(10, "9 - range AS day, range AS f, range % 2 AS label")
    split = cut(sql, rows=10, data_split_method="SEQ", data_split_col="day", data_split_eval_fraction=0.3)
    assert split.trains is not None
    assert split.trains.tolist() == [False] * 3 + [True] * 7


def test_nulls_and_ties_with_the_last_training_row_train(cut: Cut) -> None:
    sql = "SELECT * FROM (VALUES (5, 1, 1), (NULL, 0, 1), (5, 1, 1), (5, 0, 1), (9, 1, 1)) AS t(day, label, f)"
    split = cut(sql, rows=5, data_split_method="SEQ", data_split_col="day", data_split_eval_fraction=0.4)
    assert split.trains is not None
    assert split.trains.tolist() == [True, True, True, True, False]


def test_the_condition_in_sql_picks_the_rows_that_train(cut: Cut, session: Session) -> None:
    split = cut(numbered(900), rows=900)
    kept = session.query(f"SELECT f FROM ({numbered(900)}) AS t WHERE {split.where}").read_all()["f"]
    assert split.trains is not None
    assert kept.to_pylist() == np.flatnonzero(split.trains).tolist()


def test_a_split_column_that_is_not_boolean_is_refused(cut: Cut) -> None:
    with pytest.raises(DataError, match="needs a BOOL column"):
        cut(numbered(10, "range AS f, 1 AS g, 2 AS label"), rows=10, data_split_method="CUSTOM", data_split_col="f")


def test_a_split_that_leaves_nothing_to_train_is_refused(cut: Cut) -> None:
    with pytest.raises(EmptyDataError, match="no row is left"):
        cut(
            numbered(10, "TRUE AS held, range AS label, 1 AS f"),
            rows=10,
            data_split_method="CUSTOM",
            data_split_col="held",
        )
