"""Which rows train by their time, and how much old ones weigh; the clock has no part in it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from tidemill.core.errors import BindError, DataError, EmptyDataError, OptionError
from tidemill.model_types._arrays import read_arrays
from tidemill.sql.options import check_create_model
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel
from tidemill.training.result import TrainedModel

Fit = Callable[..., TrainedModel]

# One row a day; each is known three days later.
DAILY = """
SELECT TIMESTAMP '2026-01-01' + INTERVAL 1 DAY * i AS moment, DATE '2026-01-04' + CAST(i AS INTEGER) AS known,
       (i * 37) % 11 AS x, ((i * 37) % 11) * (1 + i / 100.0) + (i * 13) % 5 AS label
FROM range(200) AS r(i)
"""
TIMED = {"train_time_col": "moment", "train_known_col": "known", "data_split_method": "NO_SPLIT"}


def weights(model: TrainedModel) -> np.ndarray:
    arrays = read_arrays(model.files["weights.npz"])
    return np.append(arrays["weights"], arrays["intercept"])


def window(model: TrainedModel) -> dict[str, object]:
    return dict(json.loads(model.files["manifest.json"])["window"])


def test_times_are_no_features(fit: Fit) -> None:
    found = fit("LINEAR_REG", DAILY, **TIMED)

    assert [row["input"] for row in found.feature_info] == ["x"]
    assert found.rows_train == 200


def test_a_window_ends_at_the_newest_row_and_trains_the_model_of_those_rows(fit: Fit) -> None:
    found = fit("LINEAR_REG", DAILY, train_window="last 30 days", **TIMED)
    alike = fit(
        "LINEAR_REG",
        f"SELECT x, label FROM ({DAILY}) WHERE moment >= TIMESTAMP '2026-06-19'",
        data_split_method="NO_SPLIT",
    )

    assert found.rows_train == 31
    assert weights(found) == pytest.approx(weights(alike), rel=1e-12)
    assert window(found)["newest"] == "2026-07-19 00:00:00"


def test_rows_outside_the_window_change_nothing_of_the_model(fit: Fit) -> None:
    fewer = f"SELECT * FROM ({DAILY}) WHERE moment < TIMESTAMP '2026-05-01'"

    all_rows, some = (fit("LINEAR_REG", rows, train_as_of="2026-04-01", **TIMED) for rows in (DAILY, fewer))

    assert window(all_rows) == window(some)
    assert {name for name in some.files if some.files[name] != all_rows.files[name]} == {"manifest.json"}  # has the SQL


def test_as_of_a_moment_nothing_later_and_nothing_unknown_is_seen(fit: Fit) -> None:
    poisoned = (
        f"SELECT * REPLACE (CASE WHEN moment >= TIMESTAMP '2026-04-01' THEN 1e9 ELSE label END AS label) FROM ({DAILY})"
    )

    clean = fit("LINEAR_REG", DAILY, train_as_of="2026-04-01", **TIMED)
    found = fit("LINEAR_REG", poisoned, train_as_of="2026-04-01", **TIMED)

    assert clean.rows_train == 87  # 90 days, of which the last three were not known
    assert weights(found) == pytest.approx(weights(clean), rel=1e-12)


def test_a_row_of_the_half_life_weighs_half(fit: Fit) -> None:
    found = fit("LINEAR_REG", DAILY, train_half_life="20 days", **TIMED)

    x = (np.arange(200) * 37) % 11
    y = x * (1 + np.arange(200) / 100.0) + (np.arange(200) * 13) % 5
    root = np.sqrt(0.5 ** ((199 - np.arange(200)) / 20))
    design = np.column_stack([x, np.ones(200)])
    line = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    scores = read_arrays(found.files["evaluation.npz"])["scores"]
    assert scores == pytest.approx(design @ line, rel=1e-9)


def test_age_weighs_beside_the_weight_of_a_class(fit: Fit) -> None:
    halves = f"SELECT *, label / 4 AS half FROM ({DAILY})"
    classes = f"SELECT moment, x, CASE WHEN x > half THEN 'a' ELSE 'b' END AS label FROM ({halves})"
    timed = {"train_time_col": "moment", "data_split_method": "NO_SPLIT"}
    both = {"auto_class_weights": True, "train_half_life": "20 days", **timed}

    found = fit("LOGISTIC_REG", classes, **both)

    one = fit("LOGISTIC_REG", classes, auto_class_weights=True, **timed)
    other = fit("LOGISTIC_REG", classes, train_half_life="20 days", **timed)
    scores = [read_arrays(model.files["evaluation.npz"])["scores"][0, 0] for model in (found, one, other)]
    assert len(set(scores)) == 3
    assert found.digest == fit("LOGISTIC_REG", classes, **both).digest


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"train_time_col": "when"}, BindError, "TRAIN_TIME_COL of model m names when"),
        ({"train_time_col": "x"}, DataError, "needs a DATE or TIMESTAMP column; x is"),
        (
            {"train_time_col": "moment", "train_as_of": "2020-01-01"},
            EmptyDataError,
            "has no row to train on before 2020-01-01",
        ),
    ],
)
def test_rows_that_cannot_be_told_by_time_are_refused(
    fit: Fit, given: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fit("LINEAR_REG", DAILY, **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("train_window = 'last 30 days'", "TRAIN_WINDOW needs TRAIN_TIME_COL"),
        ("train_time_col = 'moment', train_window = '30 days'", "TRAIN_WINDOW is neither 'all' nor"),
        ("train_time_col = 'moment', train_half_life = 'long'", "TRAIN_HALF_LIFE is no span of time"),
        ("train_time_col = 'moment', train_as_of = 'today'", "TRAIN_AS_OF is no moment"),
    ],
)
def test_options_that_cannot_hold_are_refused(options: str, message: str) -> None:
    sql = f"CREATE MODEL m OPTIONS (model_type = 'LINEAR_REG', {options}) AS SELECT 1 AS label"
    (statement,) = parse_text(sql, file="m.sql", dialect="duckdb")
    assert isinstance(statement, CreateModel)

    with pytest.raises(OptionError, match=message):
        check_create_model(statement)
