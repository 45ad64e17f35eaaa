"""WARM_START: going on from the version before, over other rows, other scales and other categories."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tidemill.core.errors import DataError, StatementError
from tidemill.model_types._arrays import read_arrays
from tidemill.training.artifact import read_json_file
from tidemill.training.result import TrainedModel

Fit = Callable[..., TrainedModel]

ROWS = """
SELECT 100 + (range * 37) % 50 AS n, ['a', 'b', NULL][1 + range % 3] AS c,
       TIMESTAMP '2024-01-01 00:00:00' + INTERVAL (range % 40) DAY AS t,
       3.0 * ((range * 37) % 50) + 5 * (range % 3) AS value,
       CASE WHEN (range * 37) % 50 + range % 3 > 20 THEN 'yes' ELSE 'no' END AS label,
       ['x', 'y', 'z'][1 + range % 3] AS three
FROM range(400)
"""
DESCENT = {"optimize_strategy": "BATCH_GRADIENT_DESCENT", "early_stop": False, "data_split_method": "NO_SPLIT"}
# Other rows, so that means and deviations differ; and a category less.
OTHERS = f"SELECT * FROM ({ROWS}) AS r WHERE n > 110 AND c IS DISTINCT FROM 'b'"


def losses(trained: TrainedModel) -> list[float]:
    return [float(row.loss or 0.0) for row in trained.iterations]


@pytest.mark.parametrize(
    ("kind", "label"), [("LINEAR_REG", "value"), ("LOGISTIC_REG", "label"), ("LOGISTIC_REG", "three")]
)
def test_a_warm_start_goes_on_where_the_version_before_ended(fit: Fit, kind: str, label: str) -> None:
    first = fit(kind, ROWS, label=label, max_iterations=8, **DESCENT)
    second = fit(kind, ROWS, label=label, max_iterations=4, warm_start=True, previous=first, **DESCENT)
    assert losses(second)[0] < losses(first)[-1]
    assert losses(second)[-1] < fit(kind, ROWS, label=label, max_iterations=8, **DESCENT).iterations[-1].loss  # type: ignore[operator]
    rows = read_json_file(second.files, "info.json")["iterations"]
    assert [(row["training_run"], row["iteration"]) for row in rows] == [
        *((0, number) for number in range(len(first.iterations))),
        *((1, number) for number in range(len(second.iterations))),
    ]
    third = fit(kind, ROWS, label=label, max_iterations=2, warm_start=True, previous=second, **DESCENT)
    assert read_json_file(third.files, "info.json")["iterations"][-1]["training_run"] == 2


@pytest.mark.parametrize(("kind", "label"), [("LINEAR_REG", "value"), ("LOGISTIC_REG", "label")])
def test_a_start_predicts_other_rows_as_the_version_before_did(fit: Fit, kind: str, label: str) -> None:
    first = fit(kind, ROWS, label=label, max_iterations=15, **DESCENT)
    # A step too small to move anything leaves the weights as they began, in the scale of the new rows.
    second = fit(
        kind,
        OTHERS,
        label=label,
        warm_start=True,
        previous=first,
        max_iterations=1,
        learn_rate_strategy="CONSTANT",
        learn_rate=1e-15,
        **DESCENT,
    )
    whole = read_arrays(first.files["evaluation.npz"])
    part = read_arrays(second.files["evaluation.npz"])
    order = np.array([(i * 37) % 50 + 100 > 110 and i % 3 != 1 for i in range(400)])
    np.testing.assert_allclose(part["scores"], whole["scores"][order], rtol=1e-9, atol=1e-9)


def test_the_same_earlier_version_gives_the_same_bytes(fit: Fit) -> None:
    first = fit("LOGISTIC_REG", ROWS)
    again = [fit("LOGISTIC_REG", OTHERS, warm_start=True, previous=first) for _ in range(2)]
    assert again[0].files == again[1].files


def test_auto_strategy_descends_with_a_warm_start(fit: Fit) -> None:
    few = f"SELECT * EXCLUDE (t) FROM ({ROWS}) AS r"
    first = fit("LINEAR_REG", few, label="value")
    assert read_json_file(first.files, "info.json")["fitted"]["strategy"] == "NORMAL_EQUATION"
    second = fit("LINEAR_REG", few, label="value", warm_start=True, previous=first)
    assert read_json_file(second.files, "info.json")["fitted"]["strategy"] == "BATCH_GRADIENT_DESCENT"
    assert second.metrics["mean_squared_error"] == pytest.approx(first.metrics["mean_squared_error"], abs=1e-6)


def test_without_an_earlier_version_training_begins_at_zero_and_says_so(fit: Fit) -> None:
    trained = fit("LOGISTIC_REG", ROWS, warm_start=True)
    assert "no earlier version" in trained.warnings[-1]
    plain = fit("LOGISTIC_REG", ROWS)
    assert trained.files["weights.npz"] == plain.files["weights.npz"]
    assert not plain.warnings


def test_what_differs_from_the_version_before_is_named(fit: Fit) -> None:
    first = fit("LOGISTIC_REG", ROWS)
    with pytest.raises(StatementError, match=r"the type of the version before, LOGISTIC_REG; this is LINEAR_REG"):
        fit("LINEAR_REG", ROWS, label="value", warm_start=True, previous=first)
    with pytest.raises(StatementError, match=r"the label of the version before, label; this is three"):
        fit("LOGISTIC_REG", ROWS, label="three", warm_start=True, previous=first)
    with pytest.raises(DataError, match=r"the version before knows no, yes, these rows have 0, 1"):
        fit("LOGISTIC_REG", f"SELECT * REPLACE (n % 2 AS label) FROM ({ROWS}) AS r", warm_start=True, previous=first)
    changed = f"SELECT * EXCLUDE (n) REPLACE (1 AS c), n AS m FROM ({ROWS}) AS r"
    with pytest.raises(DataError, match=r"missing: n; new: m; of another type: c"):
        fit("LOGISTIC_REG", changed, warm_start=True, previous=first)
