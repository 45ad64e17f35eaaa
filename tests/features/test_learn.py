from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BindError, DataError, UnsupportedError
from tidemill.features.encode import BatchEncoder
from tidemill.features.learn import draft_plan, finish, settle
from tidemill.features.learn_categories import learn_categories
from tidemill.features.plan import (
    Feature,
    FeaturePlan,
    Instant,
    Label,
    MultiHot,
    Number,
    OneHot,
    encoded_columns,
    plan_from_dict,
    plan_to_dict,
)
from tidemill.warehouse.duckdb.lake import open_lake

BIRDS = pa.table(
    {
        "sex": pa.array(["MALE", "FEMALE", None, "MALE", "."]),
        "mass": pa.array([1.0, 2.0, 3.0, None, 4.0]),
        "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1900, 1, 1), dt.date(2024, 2, 29), dt.date(1, 1, 1)]),
        "seen": pa.array(
            [
                dt.datetime(2024, 2, 29, 13, 45, tzinfo=dt.UTC),
                None,
                dt.datetime(1969, 12, 31, 23, 59, tzinfo=dt.UTC),
                None,
                None,
            ],
            pa.timestamp("us", tz="UTC"),
        ),
        "ok": pa.array([True, False, True, None, True]),
        "place": pa.array([{"x": 1, "y": "a"}, {"x": 2, "y": None}, None, {"x": 4, "y": "b"}, {"x": 5, "y": "a"}]),
        "dense": pa.array([[1.0, 2.0], [3.0, None], None, [5.0, 6.0], [7.0, 8.0]]),
        "tags": pa.array([["a", "b"], [], None, ["b", None], ["c"]]),
    }
)
NAMES = BIRDS.column_names


def planned(session: Any, table: pa.Table, style: str, **more: object) -> tuple[FeaturePlan, np.ndarray]:
    session.put("t", table)
    names = table.column_names
    schema = session.schema("SELECT * FROM t")
    learned = learn_categories(session, "SELECT * FROM t", schema, features=names)
    draft = draft_plan(schema, learned, features=names, style=style, **more)  # type: ignore[arg-type]
    x = np.empty((table.num_rows, draft.width), draft.dtype)
    BatchEncoder(draft).encode(table.combine_chunks().to_batches()[0], x)
    return settle(draft, x), x


def test_categories_are_counted_exactly_and_in_alphabetical_order(session: Any) -> None:
    session.put("t", BIRDS)

    learned = learn_categories(session, "SELECT * FROM t", session.schema("FROM t"), features=NAMES)

    assert learned["sex"].values == (".", "FEMALE", "MALE")
    assert learned["sex"].counts == (1, 1, 2)
    assert learned["sex"].nulls == 1
    assert learned["day"].values == ("0001-01-01", "1900-01-01", "2024-02-29")
    assert learned["ok"].values == ("false", "true")
    assert learned["place_y"].values == ("a", "b")
    assert learned["place_y"].nulls == 2
    assert learned["tags"].values == ("a", "b", "c")
    assert learned["dense"].length == 2
    assert learned["seen"].parts == ((29, 31), (4, 5), (2, 12), (13, 23), (45, 59), (8, 52), (1969, 2024))


def test_a_linear_plan_standardises_numbers_and_spreads_categories(session: Any) -> None:
    plan, x = planned(session, BIRDS.select(["sex", "mass"]), "linear")

    assert [column.name for column in encoded_columns(plan)] == [
        "sex_.",
        "sex_FEMALE",
        "sex_MALE",
        "sex__null_filler",
        "mass",
    ]
    mean, deviation = 2.5, np.std([1, 2, 3, 4], ddof=1)
    assert plan.features[1].encoding == Number(mean=mean, deviation=float(deviation))
    np.testing.assert_allclose(x[:, 4], (np.array([1, 2, 3, mean, 4]) - mean) / deviation)
    np.testing.assert_array_equal(x[:, :4], [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]])


def test_a_tree_plan_labels_categories_from_one_and_keeps_numbers(session: Any) -> None:
    plan, x = planned(session, BIRDS.select(["sex", "mass", "seen"]), "tree")

    assert plan.features[0].encoding == Label(vocabulary=(".", "FEMALE", "MALE"))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:, 0], [3, 2, 0, 3, 1])
    np.testing.assert_array_equal(x[:, 1], [1, 2, 3, 2.5, 4])
    np.testing.assert_array_equal(x[0, 3:], [29, 5, 2, 13, 45, 8, 2024])
    np.testing.assert_array_equal(x[1, 3:], [-1] * 7)


def test_rows_encoded_by_the_settled_plan_equal_the_training_matrix(session: Any) -> None:
    for style in ("linear", "tree"):
        plan, x = planned(session, BIRDS, style)
        again = BatchEncoder(plan).matrix(BIRDS.combine_chunks().to_batches()[0])
        np.testing.assert_array_equal(again, x)


def test_dummy_encoding_drops_the_most_frequent_category(session: Any) -> None:
    plan, x = planned(session, BIRDS.select(["sex"]), "linear", method="DUMMY_ENCODING")

    assert plan.features[0].encoding == OneHot(vocabulary=(".", "FEMALE", "MALE"), null=True, dropped=2)
    np.testing.assert_array_equal(x, [[0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]])


def test_target_encoding_is_the_shrunken_mean_of_the_label(session: Any) -> None:
    table = pa.table({"c": ["a", "a", "b", None]})
    session.put("t", table)
    schema = session.schema("FROM t")
    learned = learn_categories(session, "FROM t", schema, features=["c"])
    draft = draft_plan(schema, learned, features=["c"], style="tree", method="TARGET_ENCODING")
    x = BatchEncoder(draft).matrix(table.to_batches()[0])

    plan = settle(draft, x, y=np.array([1.0, 3.0, 5.0, 7.0]))

    np.testing.assert_allclose(x[:, 0], [(4 + 40) / 12, (4 + 40) / 12, (5 + 40) / 11, (7 + 40) / 11], rtol=1e-6)
    unseen = BatchEncoder(plan).matrix(pa.table({"c": ["zzz"]}).to_batches()[0])
    np.testing.assert_allclose(unseen, [[4.0]])


def test_statistics_come_from_the_training_rows_alone(session: Any) -> None:
    table = pa.table({"x": [1.0, 3.0, 1000.0, None]})
    session.put("t", table)
    draft = draft_plan(session.schema("FROM t"), {}, features=["x"], style="linear")
    x = BatchEncoder(draft).matrix(table.to_batches()[0])

    plan = settle(draft, x, rows=slice(0, 2))

    assert plan.features[0].encoding == Number(mean=2.0, deviation=np.sqrt(2))
    assert x[3, 0] == 0


def test_evaluation_rows_are_finished_with_the_training_statistics(session: Any) -> None:
    train, judge = pa.table({"x": [1.0, 3.0]}), pa.table({"x": [2.0, None, 1e300]})
    session.put("t", train)
    draft = draft_plan(session.schema("FROM t"), {}, features=["x"], style="linear")
    x, x_eval = (BatchEncoder(draft).matrix(t.to_batches()[0]) for t in (train, judge))

    plan = settle(draft, x)
    finish(plan, x_eval)

    np.testing.assert_array_equal(x_eval, BatchEncoder(plan).matrix(judge.to_batches()[0]))
    assert np.isfinite(x_eval).all()


def test_a_constant_column_becomes_zeros_without_noise(session: Any) -> None:
    plan, x = planned(session, pa.table({"x": [0.1] * 7, "empty": pa.array([None] * 7, pa.float64())}), "linear")

    assert not x.any()
    assert plan.features[0].encoding == Number(mean=0.1, deviation=1.0)


def test_a_plan_survives_its_json_form(session: Any) -> None:
    import json

    for style, method in (("linear", ""), ("tree", ""), ("linear", "DUMMY_ENCODING")):
        plan, _ = planned(session, BIRDS, style, method=method)
        assert plan_from_dict(json.loads(json.dumps(plan_to_dict(plan)))) == plan


def test_learning_does_not_depend_on_the_order_of_rows(session: Any) -> None:
    session.put("t", BIRDS)
    session.put("r", BIRDS.take([4, 2, 0, 1, 3]))
    schema = session.schema("FROM t")

    assert learn_categories(session, "FROM t", schema, features=NAMES) == learn_categories(
        session, "FROM r", schema, features=NAMES
    )


def test_an_array_that_changes_its_length_is_refused(session: Any) -> None:
    session.put("t", pa.table({"v": [[1.0], [1.0, 2.0]]}))

    with pytest.raises(DataError, match="array of 1 numbers in one row and of 2"):
        learn_categories(session, "FROM t", session.schema("FROM t"), features=["v"])


def test_a_column_that_cannot_be_a_feature_is_refused_by_name(session: Any) -> None:
    schema = pa.schema([("gap", pa.month_day_nano_interval())])

    with pytest.raises(UnsupportedError, match="column gap"):
        learn_categories(session, "FROM t", schema, features=["gap"])


def test_a_missing_column_is_answered_with_the_nearest_name(session: Any) -> None:
    plan, _ = planned(session, BIRDS.select(["mass"]), "tree")

    with pytest.raises(BindError) as caught:
        BatchEncoder(plan).matrix(pa.table({"mas": [1.0]}).to_batches()[0])
    assert "mas" in caught.value.hint


def test_naive_timestamps_can_be_categories_as_datetimes_are(session: Any) -> None:
    table = pa.table({"at": pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC), None], pa.timestamp("us"))})
    session.put("t", table)
    schema = session.schema("FROM t")
    learned = learn_categories(session, "FROM t", schema, features=["at"], datetimes="categorical")

    plan = draft_plan(schema, learned, features=["at"], style="tree", datetimes="categorical")

    assert plan.features[0].encoding == Label(vocabulary=("2024-01-02T03:04:05",))
    assert isinstance(draft_plan(schema, {}, features=["at"], style="tree").features[0].encoding, Instant)


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_arrow_form_of_a_string_is_encoded_alike(type_: pa.DataType) -> None:
    label = Feature(name="s", column="s", kind="text", encoding=Label(vocabulary=("a", "b")))
    members = Feature(name="l", column="l", kind="texts", encoding=MultiHot(vocabulary=("a", "b")))
    plan = FeaturePlan(style="tree", inputs=(), features=(label, members))
    lists = pa.array([["a"], None, ["b", "b", None], []], pa.list_(type_))
    batch = pa.RecordBatch.from_arrays([pa.array(["a", None, "b", "c"], type_), lists], names=["S", "l"])

    x = BatchEncoder(plan).matrix(batch)

    np.testing.assert_array_equal(x, [[1, 1, 0], [0, 0, 0], [2, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(BatchEncoder(plan).matrix(batch.slice(2, 2)), x[2:])
    assert BatchEncoder(plan).matrix(batch.slice(0, 0)).shape == (0, 3)


def test_a_column_of_another_type_is_refused_by_name(session: Any) -> None:
    plan, _ = planned(session, BIRDS.select(["mass", "sex"]), "tree")

    with pytest.raises(DataError, match="feature mass: a number is expected"):
        BatchEncoder(plan).matrix(pa.table({"mass": ["x"], "sex": ["a"]}).to_batches()[0])
    with pytest.raises(DataError, match="feature sex: a string is expected"):
        BatchEncoder(plan).matrix(pa.table({"mass": [1.0], "sex": [1]}).to_batches()[0])


def test_the_lake_learns_what_the_memory_learns(tmp_path: Path, session: Any) -> None:
    session.put("t", BIRDS)
    schema = session.schema("FROM t")
    lake = open_lake(tmp_path / ".tidemill", search_path=tmp_path)

    with lake.session() as real:
        found = learn_categories(real, "SELECT * FROM t", schema, features=NAMES, relations={"t": BIRDS})

    assert found == learn_categories(session, "FROM t", schema, features=NAMES)
    lake.close()
