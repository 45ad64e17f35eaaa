"""BigQuery's functions for watching data: columns, defaults, distances as TFDV defines them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from tidemill.core.errors import BindError, EmptyDataError, OptionError, StateError, TidemillError, UnsupportedError
from tidemill.core.tfdv import aligned
from tidemill.project import Project, open_project

BASE = """
SELECT i % 10 + 0.5 AS x, ['a', 'b', 'b', 'c'][i % 4 + 1] AS c, i % 2 = 0 AS b, i % 3 = 0 AS label FROM range(400) t(i)
"""
STUDY = "SELECT i % 10 + 3.5 AS x, ['a', 'b', 'd'][i % 3 + 1] AS c, i % 2 = 0 AS b FROM range(300) t(i)"
COLUMNS = ["input", "metric", "threshold", "value", "is_anomaly"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "tidemill.toml").write_text("")
    (tmp_path / "sql").mkdir()
    with open_project(tmp_path) as opened:
        yield opened


def rows(project: Project, sql: str) -> dict[str, dict[str, object]]:
    return {row["input"]: row for row in project.sql(sql).to_arrow().to_pylist()}


def test_drift_has_bigquerys_columns_defaults_and_tfdvs_distances(project: Project) -> None:
    result = project.sql(f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({STUDY}))").to_arrow()
    found = {row["input"]: row for row in result.to_pylist()}

    assert result.schema.names == COLUMNS
    assert list(found) == ["x", "c", "b"]
    # c goes from 1/2 to 1/3, and d comes with 1/3.
    assert found["c"] == {"input": "c", "metric": "L_INFTY", "threshold": 0.3, "value": pytest.approx(1 / 3),
                          "is_anomaly": True}  # fmt: skip
    assert (found["b"]["value"], found["b"]["is_anomaly"]) == (0, False)
    # Ten buckets of 0.9 from 0.5 and from 3.5, a tenth of the rows in each, cut at the edges of both.
    first, second = np.linspace(0.5, 9.5, 11), np.linspace(3.5, 12.5, 11)
    edges = np.union1d(first, second)
    shares = [np.diff(np.interp(edges, cuts, np.linspace(0, 1, 11))) for cuts in (first, second)]
    assert found["x"]["metric"] == "JENSEN_SHANNON_DIVERGENCE"
    assert found["x"]["value"] == pytest.approx(jensenshannon(*shares, base=2) ** 2, rel=1e-9)


def test_thresholds_are_of_all_columns_or_of_one(project: Project) -> None:
    found = rows(
        project,
        f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({STUDY}), STRUCT(0.4 AS categorical_default_threshold,"
        " 'JENSEN_SHANNON_DIVERGENCE' AS categorical_metric_type, [('x', 0.01)] AS thresholds))",
    )

    assert [row["threshold"] for row in found.values()] == [0.01, 0.4, 0.4]
    assert found["x"]["is_anomaly"]
    assert found["c"]["value"] == pytest.approx(jensenshannon([3, 6, 3, 0], [4, 4, 0, 4], base=2) ** 2)


def test_skew_is_against_the_rows_a_version_was_trained_on(project: Project) -> None:
    project.sql(
        "CREATE MODEL m TRANSFORM(ML.STANDARD_SCALER(x) OVER () AS scaled, c, label)"
        f" OPTIONS (model_type = 'LOGISTIC_REG', data_split_method = 'NO_SPLIT') AS {BASE}"
    )

    same = rows(project, f"SELECT * FROM ML.VALIDATE_DATA_SKEW(MODEL m, ({BASE}))")
    moved = rows(project, f"SELECT * FROM ML.VALIDATE_DATA_SKEW(MODEL m, ({STUDY}))")

    assert {name: row["value"] for name, row in same.items()} == {"x": 0, "c": 0}
    assert moved["c"]["value"] == pytest.approx(1 / 3)
    assert moved["x"]["value"] == pytest.approx(0.3)  # three tenths of the rows have values that training never saw
    assert list(moved["x"]) == COLUMNS


def test_a_version_without_a_baseline_is_told_to_be_trained_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.sql(f"CREATE MODEL m OPTIONS (model_type = 'LOGISTIC_REG') AS {BASE}")
    monkeypatch.setattr("tidemill.registry.baseline.BASELINE", "of-another-time.json")

    with pytest.raises(StateError, match="has no statistics of its training rows") as error:
        project.sql(f"SELECT * FROM ML.VALIDATE_DATA_SKEW(MODEL m, ({BASE}))").to_arrow()

    assert "CREATE OR REPLACE MODEL m" in error.value.hint


def test_statistics_are_tfdvs_messages(project: Project) -> None:
    query = "SELECT unnest([1, 2, 2, 4, NULL]) AS n, unnest(['a', 'b', 'b', NULL, 'it''s']) AS t"
    text = project.sql(
        f"SELECT * FROM ML.TFDV_DESCRIBE(({query}), STRUCT(3 AS num_histogram_buckets, 2 AS"
        " num_quantiles_histogram_buckets, 2 AS num_rank_histogram_buckets))"
    ).fetchall()[0][0]
    (dataset,) = json.loads(text)["datasets"]
    number, words = dataset["features"]

    assert dataset["numExamples"] == "5"
    assert (number["type"], words["type"]) == ("INT", "STRING")
    stats = number["numStats"]
    assert (stats["commonStats"]["numMissing"], stats["numZeros"], stats["mean"]) == ("1", "0", 2.25)
    assert stats["stdDev"] == pytest.approx(np.std([1, 2, 2, 4]))
    # [1, 2), [2, 3), [3, 4]: as TFDV has it, a bucket begins with its low value, and the last has both.
    assert [bucket["sampleCount"] for bucket in stats["histograms"][0]["buckets"]] == [1, 2, 1]
    assert [bucket["label"] for bucket in words["stringStats"]["rankHistogram"]["buckets"]] == ["b", "it's"]
    assert words["stringStats"]["unique"] == "3"


def test_two_results_are_compared_with_positional_arguments(project: Project) -> None:
    described = "(SELECT * FROM ML.TFDV_DESCRIBE(({})))"
    call = f"ML.TFDV_VALIDATE({described.format(BASE)}, {described.format(STUDY)}"

    skew = json.loads(project.sql(f"SELECT {call})").fetchall()[0][0])
    drift = json.loads(
        project.sql(
            f"SELECT {call}, 'DRIFT', .3, 'L_INFTY', .3, 'JENSEN_SHANNON_DIVERGENCE', [('c', 0.5), ('x', 0.9)])"
        ).fetchall()[0][0]
    )

    assert skew["anomalyInfo"]["c"]["reason"][0]["type"] == "COMPARATOR_L_INFTY_HIGH"
    assert "0.333333, above the threshold 0.3" in skew["anomalyInfo"]["c"]["description"]
    assert [one["path"]["step"] for one in skew["driftSkewInfo"]] == [["x"], ["c"], ["b"]]
    assert set(skew["driftSkewInfo"][0]) == {"path", "skewMeasurements"}
    assert drift["anomalyInfo"] == {}
    assert drift["driftSkewInfo"][1]["driftMeasurements"][0]["threshold"] == 0.5


@pytest.mark.parametrize("metric", ["JENSEN_SHANNON_DIVERGENCE", "L_INFTY"])
def test_a_column_of_another_kind_or_with_values_on_one_side_only_is_an_anomaly(project: Project, metric: str) -> None:
    old = "SELECT 'a' || i AS x, 1.0 AS y, 2 AS z, i AS n, 't' || i AS t, NULL::INT AS gone FROM range(50) r(i)"
    new = "SELECT i AS x, 1.0 AS y, NULL::INT AS n, NULL::VARCHAR AS t, NULL::INT AS gone FROM range(50) r(i)"
    found = rows(
        project,
        f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({old}), ({new}), STRUCT('{metric}' AS categorical_metric_type))",
    )
    assert {name: row["value"] for name, row in found.items()} == {"x": 1, "y": 0, "n": 1, "t": 1, "gone": 0}
    assert [name for name, row in found.items() if row["is_anomaly"]] == ["x", "n", "t"]


def test_skew_tells_columns_that_lost_their_values_or_their_kind(project: Project) -> None:
    project.sql(f"CREATE MODEL m OPTIONS (model_type = 'LOGISTIC_REG', data_split_method = 'NO_SPLIT') AS {BASE}")

    gone = rows(project, "SELECT * FROM ML.VALIDATE_DATA_SKEW(MODEL m, (SELECT NULL::DOUBLE AS x, 7 AS c, true AS b))")

    assert {name: (row["value"], row["is_anomaly"]) for name, row in gone.items() if name != "b"} == {
        "x": (1, True),
        "c": (1, True),
    }


def test_infinite_values_are_compared_as_tfdv_does() -> None:
    infinite = {"buckets": [{"lowValue": "Infinity", "highValue": "Infinity", "sampleCount": 2}]}
    assert aligned(infinite, infinite) == [[2, 0], [0, 2]]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({BASE}), STRUCT([('x', 2)] AS thresholds))", OptionError,
         "array of pairs"),
        (f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({BASE}), STRUCT(0 AS num_histogram_buckets))", OptionError,
         "num_histogram_buckets"),
        ("SELECT * FROM ML.TFDV_DESCRIBE((SELECT [[1]] AS l))", UnsupportedError, "column l: its type is INTEGER[][]"),
        ("SELECT * FROM ML.TFDV_DESCRIBE((SELECT {'a': 1} AS s))", UnsupportedError, "column s: its type is STRUCT"),
        (f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({BASE}), STRUCT([('cc', 0.1)] AS thresholds))", OptionError,
         "the column cc, which is not among those"),
        ("SELECT ML.TFDV_VALIDATE('{}', '{}', 'SKEWED')", BindError, "detection_type is one of 'SKEW', 'DRIFT'"),
        ("SELECT ML.TFDV_VALIDATE('{}', '{}', 'SKEW', 1.5)", BindError, "at least 0 and below 1"),
        ("SELECT ML.TFDV_VALIDATE('{}', 'no json')", TidemillError, "as ML.TFDV_DESCRIBE gives them"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(project: Project, sql: str, error: type[TidemillError], message: str) -> None:
    with pytest.raises(error) as raised:
        project.sql(sql).to_arrow()

    assert message in str(raised.value)


def test_no_rows_are_no_all_clear(project: Project) -> None:
    empty = f"SELECT * FROM ({BASE}) WHERE false"

    with pytest.raises(EmptyDataError, match="has no rows to compare"):
        rows(project, f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({empty}))")


def test_two_sides_without_a_column_in_common_are_no_all_clear(project: Project) -> None:
    project.sql(f"CREATE MODEL m OPTIONS (model_type = 'LOGISTIC_REG', data_split_method = 'NO_SPLIT') AS {BASE}")
    other = "SELECT x AS xx_1, c AS city FROM ({0})"
    described = "(SELECT dataset_feature_statistics_list FROM ML.TFDV_DESCRIBE(({0})))"
    renamed, same = other.format(STUDY), f"SELECT X, C AS city FROM ({STUDY})"

    for sql, said in (
        (f"SELECT is_anomaly FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({renamed}))", "base has x, c, b, label; study"),
        (f"SELECT is_anomaly FROM ML.VALIDATE_DATA_SKEW(MODEL m, ({renamed}))", "model m has b, c, x; the data"),
        (f"SELECT ML.TFDV_VALIDATE({described.format(BASE)}, {described.format(renamed)})", "training has x, c, b"),
    ):
        with pytest.raises(TidemillError, match="no column is in both") as error:
            project.sql(sql).to_arrow()
        assert said in error.value.message
        assert "has xx_1, city" in error.value.message

    assert list(rows(project, f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({same}))")) == ["x"]


def test_the_column_that_was_meant_is_named(project: Project) -> None:
    with pytest.raises(BindError) as error:
        rows(project, "SELECT * FROM ML.VALIDATE_DATA_DRIFT((SELECT 1 AS amount), (SELECT 1 AS amuont))")

    assert error.value.hint == "amuont: did you mean amount?"


def test_a_limit_of_no_column_is_refused_and_one_in_other_letters_is_that_columns(project: Project) -> None:
    call = f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({BASE}), ({STUDY}), STRUCT([('{{}}', 0.01)] AS thresholds))"

    assert rows(project, call.format("X"))["x"]["threshold"] == 0.01
    with pytest.raises(OptionError, match="the column lable, which is not among those") as error:
        rows(project, call.format("lable"))
    assert error.value.hint == "known: b, c, x"


ARRAYS = """
SELECT CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN [] ELSE [i % 10 + {moved}, 3.0] END AS sizes,
       ['a', {word}] AS words, [{{'at': 3, 'value': 2.5}}, {{'at': 7, 'value': {moved}}}] AS sparse
FROM range(400) t(i)
"""


def test_arrays_are_described_by_their_items_and_lengths_as_tfdv_has_them(project: Project) -> None:
    data = ARRAYS.format(moved=0.5, word="'b'")

    text = project.sql(f"SELECT * FROM ML.TFDV_DESCRIBE(({data}), STRUCT(2 AS num_values_histogram_buckets))")
    (told,) = text.fetchall()[0]
    sizes, words, sparse = json.loads(told)["datasets"][0]["features"]

    stats = sizes["numStats"]
    assert stats["commonStats"] == {
        "numNonMissing": "300",  # an empty array is there
        "numMissing": "100",
        "totNumValues": "400",
        "minNumValues": "0",
        "maxNumValues": "2",
        "avgNumValues": pytest.approx(4 / 3),
        "numValuesHistogram": {
            "type": "QUANTILES",
            "buckets": [
                {"lowValue": 0.0, "highValue": 2.0, "sampleCount": 150.0},
                {"lowValue": 2.0, "highValue": 2.0, "sampleCount": 150.0},
            ],
        },
    }
    values = np.array([[i % 10 + 0.5, 3.0] for i in range(400) if i % 4 > 1]).ravel()
    assert (stats["mean"], stats["stdDev"]) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    assert sum(one["sampleCount"] for one in stats["histograms"][0]["buckets"]) == 400
    assert words["stringStats"]["topValues"] == [{"value": "a", "frequency": 400.0}, {"value": "b", "frequency": 400.0}]
    assert (sparse["type"], sparse["numStats"]["mean"]) == ("FLOAT", 1.5)


def test_drift_of_arrays_is_that_of_their_items(project: Project) -> None:
    base, study = (ARRAYS.format(moved=moved, word=word) for moved, word in ((0.5, "'b'"), (6.5, "'c'")))
    flat = "SELECT unnest(sizes) AS sizes FROM ({})"

    found = rows(project, f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({base}), ({study}))")
    same = rows(project, f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({base}), ({base}))")
    plain = rows(project, f"SELECT * FROM ML.VALIDATE_DATA_DRIFT(({flat.format(base)}), ({flat.format(study)}))")

    assert list(found) == ["sizes", "words", "sparse"]
    assert [row["value"] for row in same.values()] == [0, 0, 0]
    assert found["sizes"] == plain["sizes"]
    assert found["sizes"]["is_anomaly"]
    assert (found["words"]["metric"], found["words"]["value"]) == ("L_INFTY", 0.5)


def test_skew_of_a_model_with_arrays_compares_its_other_columns_and_says_so_when_asked_for_them(
    project: Project,
) -> None:
    data = "SELECT i % 10 + 0.5 AS x, [i % 3, i % 5] AS a, i % 3 = 0 AS label FROM range(400) t(i)"
    project.sql(f"CREATE MODEL m OPTIONS (model_type = 'LOGISTIC_REG', data_split_method = 'NO_SPLIT') AS {data}")

    assert list(rows(project, f"SELECT * FROM ML.VALIDATE_DATA_SKEW(MODEL m, ({data}))")) == ["x"]
    with pytest.raises(OptionError, match="the column a, which is not among those that are compared"):
        project.sql(
            f"SELECT * FROM ML.VALIDATE_DATA_SKEW(MODEL m, ({data}), STRUCT([('a', 0.1)] AS thresholds))"
        ).to_arrow()
