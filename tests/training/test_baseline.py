"""What a version keeps of the rows it was trained on, to compare its answers with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tidemill.analysis.distributions import count_like
from tidemill.analysis.table import open_table
from tidemill.core.distances import compare
from tidemill.registry.baseline import Baseline, read_baseline
from tidemill.registry.versions import LoadedModel
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel
from tidemill.training.artifact import BASELINE, MANIFEST, read_json_file
from tidemill.training.result import TrainedModel
from tidemill.warehouse.protocol import Session

Fit = Callable[..., TrainedModel]

ROWS = """
SELECT range % 97 + 0.1 AS n, CASE WHEN range % 9 = 0 THEN NULL ELSE 'c' || range % 4 END AS c, range % 3 = 0 AS b,
       TIMESTAMP '2024-01-01' + INTERVAL (range) MINUTE AS t, {'x': range % 5, 'y': 1} AS s, [range % 2] AS l,
       CASE WHEN (range * 7919) % 101 > 60 THEN 'yes' ELSE 'no' END AS label, (range * 7919) % 101 AS value
FROM range(2000)
"""


def read(trained: TrainedModel) -> Baseline:
    model = LoadedModel(
        name="m",
        version=1,
        manifest=read_json_file(trained.files, MANIFEST),
        files=trained.files,
        evaluated_on=trained.evaluated_on,
    )
    found = read_baseline(model)
    assert found is not None
    return found


def test_raw_columns_are_kept_as_they_are_counted_in_the_lake(fit: Fit, session: Session) -> None:
    kept = read(fit("BOOSTED_TREE_CLASSIFIER", f"SELECT * EXCLUDE (value) FROM ({ROWS})", data_split_method="NO_SPLIT"))

    counted = count_like(open_table(session, ROWS), kept.inputs)

    assert set(kept.inputs) == {"n", "c", "b", "t"}
    for name, one in kept.inputs.items():
        assert counted[name].counts == one.counts
        assert counted[name].missing == one.missing
        assert all(abs(found.value) < 1e-12 for found in compare(one, counted[name]))


def test_only_training_rows_are_counted_and_only_held_out_rows_judged(fit: Fit) -> None:
    trained = fit("LOGISTIC_REG", f"SELECT * EXCLUDE (value) FROM ({ROWS})")

    kept = read(trained)

    assert {one.rows for one in kept.inputs.values()} == {trained.rows_train} == {kept.rows_train}
    assert kept.label.rows == trained.rows_train
    assert kept.classes == ("no", "yes")
    assert kept.prediction.rows == len(kept.held_out.y) == trained.rows_eval
    assert list(kept.probabilities) == ["yes"]
    assert kept.probabilities["yes"].mean == pytest.approx(kept.held_out.scores[:, 1].mean())
    assert not kept.held_out.trained_on


def test_newest_rows_held_out_say_how_long_a_time_they_are_of(fit: Fit) -> None:
    newest = {"data_split_method": "SEQ", "data_split_eval_fraction": 0.25}

    by_time = fit("LOGISTIC_REG", f"SELECT * EXCLUDE (value) FROM ({ROWS})", data_split_col="t", **newest)
    by_number = fit("LOGISTIC_REG", f"SELECT * EXCLUDE (value) FROM ({ROWS})", data_split_col="n", **newest)

    assert by_time.rows_eval == 500
    assert read(by_time).held_out_span == timedelta(minutes=499)
    assert read(by_number).held_out_span is None


def test_a_regression_keeps_its_predictions_beside_the_label(fit: Fit) -> None:
    kept = read(fit("BOOSTED_TREE_REGRESSOR", f"SELECT * EXCLUDE (label) FROM ({ROWS})", label="value"))

    assert (kept.label.kind, kept.classes, kept.probabilities) == ("number", (), {})
    assert kept.prediction.mean == pytest.approx(kept.held_out.scores.mean(), rel=1e-6)


def test_with_a_transform_the_columns_from_before_it_are_kept(fit: Fit) -> None:
    text = f"""CREATE MODEL m TRANSFORM(ML.STANDARD_SCALER(n) OVER () AS scaled, lower(c) AS c, label)
               OPTIONS (model_type = 'LOGISTIC_REG') AS {ROWS}"""
    (statement,) = parse_text(text, file="m.sql", dialect="duckdb")
    assert isinstance(statement, CreateModel)

    trained = fit("LOGISTIC_REG", ROWS, transform=statement.transform)
    kept = read(trained)

    assert {name: one.kind for name, one in kept.inputs.items()} == {"n": "number", "c": "text"}
    assert kept.inputs["n"].high == 96.1
    assert set(kept.inputs["c"].values) == {"c0", "c1", "c2", "c3"}
    assert kept.inputs["n"].rows == trained.rows_train


def test_of_many_rows_numbers_are_spread_evenly_and_texts_all_counted(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill.training.baseline.ROWS", 500)

    kept = read(fit("LOGISTIC_REG", f"SELECT * EXCLUDE (value) FROM ({ROWS})", data_split_method="NO_SPLIT"))

    assert kept.inputs["n"].rows == 500
    assert kept.inputs["c"].rows == 2000
    assert kept.inputs["t"].low == 1_704_067_200
    assert kept.inputs["t"].high == 1_704_067_200 + 60 * 1996


def test_a_version_from_before_baselines_says_so_by_having_none(fit: Fit) -> None:
    trained = fit("LOGISTIC_REG", f"SELECT * EXCLUDE (value) FROM ({ROWS})")
    files = {name: data for name, data in trained.files.items() if name != BASELINE}

    assert read_baseline(LoadedModel(name="m", version=1, manifest={}, files=files)) is None
