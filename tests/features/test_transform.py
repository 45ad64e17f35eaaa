"""TRANSFORM frozen over training rows; samples are those of BigQuery ML's function pages."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BindError, StatementError, UnsupportedError, Where
from tidemill.features.freeze import FREEZERS, number_sql, quantile
from tidemill.features.plan import FrozenColumn
from tidemill.features.transform import freeze_transform
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel, TransformItem
from tidemill.warehouse.duckdb.lake import open_lake

HERE = Where(file="model.sql", line=1, column=1)


def items(text: str, dialect: str = "bigquery") -> tuple[TransformItem, ...]:
    statement = f"CREATE MODEL m TRANSFORM({text}) OPTIONS(model_type='linear_reg') AS SELECT 1 AS a"
    parsed = parse_text(statement, file="model.sql", dialect=dialect)[0]
    assert isinstance(parsed, CreateModel)
    return parsed.transform


def freeze(
    session: Any, table: pa.Table, text: str, *, dialect: str = "bigquery", **more: Any
) -> tuple[FrozenColumn, ...]:
    session.put("t", table)
    return freeze_transform(
        items(text, dialect), session=session, sql="SELECT * FROM t", schema=table.schema, where=HERE, **more
    )


def applied(session: Any, frozen: tuple[FrozenColumn, ...], table: pa.Table) -> dict[str, list[Any]]:
    session.put("fresh", table)
    columns = ", ".join(f'{column.sql} AS "{column.name}"' for column in frozen)
    found: dict[str, list[Any]] = session.query(f"SELECT {columns} FROM fresh").read_all().to_pydict()
    return found


def transformed(session: Any, values: list[Any], call: str, fresh: list[Any] | None = None) -> list[Any]:
    type_ = pa.array(values).type
    frozen = freeze(session, pa.table({"f": values}), f"{call} AS v")
    return applied(session, frozen, pa.table({"f": pa.array(values if fresh is None else fresh, type_)}))["v"]


@pytest.mark.parametrize(
    ("call", "values", "expected"),
    [
        ("ML.STANDARD_SCALER(f) OVER()", [1, 2, 3, 4, 5], [-1.264911064, -0.632455532, 0, 0.632455532, 1.264911064]),
        ("ML.MIN_MAX_SCALER(f) OVER()", [1, 2, 3, 4, 5], [0, 0.25, 0.5, 0.75, 1]),
        ("ML.MAX_ABS_SCALER(f) OVER()", [-3, 1, 2, None], [-1, 1 / 3, 2 / 3, None]),
        ("ML.ROBUST_SCALER(f) OVER()", [None, -3, 1, 2, 3, 4, 5], [None, -5 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1]),
        ("ML.ROBUST_SCALER(f, [25, 75], FALSE, FALSE) OVER()", [1, 2, 3], [1, 2, 3]),
        ("ML.IMPUTER(f, 'mean') OVER()", [1.0, None, 2.0], [1, 1.5, 2]),
        ("ML.IMPUTER(f, 'median') OVER()", [1.0, None, 2.0, 9.0], [1, 2, 2, 9]),
        ("ML.IMPUTER(f, 'most_frequent') OVER()", [1, None, 2, 2], [1, 2, 2, 2]),
    ],
)  # fmt: skip
def test_published_samples_of_scalers_come_out(session: Any, call: str, values: list[Any], expected: list[Any]) -> None:
    found = transformed(session, values, call)

    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-9) if other is not None else one is None


@pytest.mark.parametrize(
    ("call", "values", "expected"),
    [
        ("ML.BUCKETIZE(f, [1, 2, 3])", [2.5], ["bin_3"]),
        ("ML.BUCKETIZE(f, [1, 2, 3], TRUE)", [2.5], ["bin_2"]),
        ("ML.BUCKETIZE(f, [1, 2, 3], FALSE, 'bucket_ranges')", [2.5], ["[2, 3)"]),
        ("ML.QUANTILE_BUCKETIZE(f, 3) OVER()", [1, 2, 3, 4, 5], ["bin_1", "bin_2", "bin_2", "bin_3", "bin_3"]),
        ("ML.IMPUTER(f, 'most_frequent') OVER()", ["b", "a", None, "b"], ["b", "a", "b", "b"]),
        ("ML.HASH_BUCKETIZE(f, 3)", ["a", "b", "c", "d", None], [0, 1, 1, 2, None]),
        ("FARM_FINGERPRINT(f)", ["3true"], [-4880158226897771312]),
        ("ML.HASH_BUCKETIZE(f, 0)", ["1footrue", "2applefalse"], [-1541654101129638711, 2794438866806483259]),
        ("ML.LABEL_ENCODER(f, 2, 2) OVER()", ["a", "b", "b", "c", "c", None], [0, 1, 1, 2, 2, 0]),
        ("ML.NORMALIZER(f)", [[4.0, 1.0, 2.0, 2.0, 0.0]], [[0.8, 0.2, 0.4, 0.4, 0.0]]),
        ("ML.NGRAMS(f, [2, 3], '#')", [["a", "b", "c"]], [["a#b", "a#b#c", "b#c"]]),
    ],
)  # fmt: skip
def test_published_samples_of_bins_and_codes_come_out(
    session: Any, call: str, values: list[Any], expected: list[Any]
) -> None:
    assert transformed(session, values, call) == expected


def test_one_hot_codes_are_index_and_value(session: Any) -> None:
    values = ["a", "b", "b", "c", None]

    plain = transformed(session, values, "ML.ONE_HOT_ENCODER(f, 'none', 10, 1) OVER()")
    dropped = transformed(session, values, "ML.ONE_HOT_ENCODER(f, 'most_frequent', 10, 1) OVER()")

    assert [row[0]["index"] for row in plain] == [1, 2, 2, 3, 0]
    assert {row[0]["value"] for row in plain} == {1.0}
    assert [row[0]["value"] for row in dropped] == [1.0, 0.0, 0.0, 1.0, 1.0]


def test_multi_hot_codes_name_each_member_once(session: Any) -> None:
    found = transformed(
        session, [["a", "b"], ["b", "b"], ["zz"]], "ML.MULTI_HOT_ENCODER(f, 10, 1) OVER()", [["b", "a", "b"], ["new"]]
    )

    assert [[item["index"] for item in row] for row in found] == [[1, 2], [0]]


def test_structs_of_products_and_crosses_have_the_published_fields(session: Any) -> None:
    table = pa.table({"f1": [2, 3], "f2": [4, 5], "a": ["x", "y"], "b": ["u", "v"]})
    frozen = freeze(session, table, "ML.POLYNOMIAL_EXPAND(STRUCT(f1, f2)) AS p, ML.FEATURE_CROSS(STRUCT(a, b)) AS c")

    found = applied(session, frozen, table)

    assert found["p"][0] == {"f1": 2.0, "f1_f1": 4.0, "f1_f2": 8.0, "f2": 4.0, "f2_f2": 16.0}
    assert found["c"][1] == {"a_b": "y_v"}


def test_statistics_are_those_of_training_not_of_the_rows_asked_for(session: Any) -> None:
    assert transformed(session, [0, 10], "ML.MIN_MAX_SCALER(f) OVER()", [5, 20, -5, None]) == [0.5, 1.0, 0.0, None]
    assert transformed(session, [1, 3], "ML.STANDARD_SCALER(f) OVER()", [2]) == [0.0]
    assert transformed(session, ["a", "b"], "ML.LABEL_ENCODER(f, 9, 1) OVER()", ["b", "new"]) == [2, 0]


def test_ml_functions_nest_in_one_another_and_in_plain_sql(session: Any) -> None:
    found = transformed(session, [1.0, None, 3.0], "1 + ML.MIN_MAX_SCALER(ML.IMPUTER(f, 'mean') OVER()) OVER()")

    assert found == [1.0, 1.5, 2.0]


def test_stars_are_spelled_out_against_the_query(session: Any) -> None:
    table = pa.table({"a": [1], "b": [2], "s": [{"x": 1, "y": "z"}], "label": [0]})

    frozen = freeze(session, table, "* EXCEPT(b, s), s.*, s.x AS sx", label_like=["label"])

    assert [(column.name, column.type) for column in frozen] == [
        ("a", "int64"), ("label", "int64"), ("x", "int64"), ("y", "string"), ("sx", "int64"),
    ]  # fmt: skip
    assert applied(session, frozen, table) == {"a": [1], "label": [0], "x": [1], "y": ["z"], "sx": [1]}


def test_replaced_columns_keep_their_place(session: Any) -> None:
    frozen = freeze(session, pa.table({"a": [1], "b": [2]}), "* REPLACE(b * 10 AS b)")

    assert applied(session, frozen, pa.table({"a": [5], "b": [6]})) == {"a": [5], "b": [60]}


def test_a_struct_function_can_be_spread_with_a_star(session: Any) -> None:
    table = pa.table({"f1": [2], "f2": [4]})
    frozen = freeze(session, table, "ML.POLYNOMIAL_EXPAND(STRUCT(f1, f2)).*")

    assert applied(session, frozen, table) == {
        "f1": [2.0],
        "f1_f1": [4.0],
        "f1_f2": [8.0],
        "f2": [4.0],
        "f2_f2": [16.0],
    }


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("SUM(a) AS s", StatementError, "no aggregate"),
        ("a + 1", StatementError, "needs a name"),
        ("(SELECT 1) AS q", StatementError, "no subquery"),
        ("ROW_NUMBER() OVER() AS r", StatementError, "no window function"),
        ("a, b AS a", StatementError, "two columns named a"),
        ("aa AS x", BindError, "no column aa"),
        ("* EXCEPT(nope)", BindError, "no column nope"),
        ("a", StatementError, "leaves out label"),
        ("a, label + 1 AS label", StatementError, "changes label"),
        ("ML.TF_IDF(a) OVER() AS x", UnsupportedError, "not built"),
    ],
)
def test_what_transform_may_not_say_is_refused(session: Any, text: str, kind: type[StatementError], words: str) -> None:
    table = pa.table({"a": [1], "b": [2], "label": [0]})

    with pytest.raises(kind, match=words):
        freeze(session, table, text, label_like=["label"] if "label" in words else [])


def test_every_analytic_function_of_the_table_can_be_frozen() -> None:
    supported = {row.name for row in ML_FUNCTIONS.values() if row.kind == "analytic" and row.status == "supported"}

    assert set(FREEZERS) == supported


def test_constants_read_back_as_the_same_numbers(session: Any) -> None:
    rng = np.random.default_rng(3)
    values = [*rng.normal(size=50).tolist(), 0.1, 1e-300, -1e300, 123456789.123456789, 2.0**60]
    columns = ", ".join(f"{number_sql(value)} AS c{i}" for i, value in enumerate(values))

    row = session.query(f"SELECT {columns}").read_all().to_pylist()[0]

    assert list(row.values()) == values


def test_quantiles_are_values_that_occur() -> None:
    rng = np.random.default_rng(5)
    for size in (1, 2, 5, 100):
        values = np.sort(rng.normal(size=size))
        for share in (0.1, 0.25, 0.5, 0.9):
            assert quantile(values, share) == np.quantile(values, share, method="inverted_cdf")


def test_bigquery_expressions_are_translated_to_the_engine(session: Any) -> None:
    table = pa.table({"day": [dt.date(2024, 2, 29)], "text": ["12x"]})
    frozen = freeze(
        session, table, "EXTRACT(DAYOFWEEK FROM day) AS d, SAFE_CAST(text AS INT64) AS n, IF(text = '12x', 1, 2) AS i"
    )

    assert applied(session, frozen, table) == {"d": [5], "n": [None], "i": [1]}


def test_the_lake_freezes_and_hashes_as_the_memory_does(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / ".tidemill", search_path=tmp_path)
    sql = "SELECT * FROM (VALUES ('a', 1.5), ('b', 2.5), ('d', NULL)) AS v(s, x)"
    with lake.session() as session:
        frozen = freeze_transform(
            items("ML.HASH_BUCKETIZE(s, 3) AS h, ML.IMPUTER(x, 'mean') OVER() AS x"),
            session=session,
            sql=sql,
            schema=session.schema(sql),
            where=HERE,
        )
        columns = ", ".join(f"{column.sql} AS {column.name}" for column in frozen)
        assert session.query(f"SELECT {columns} FROM ({sql}) AS t").read_all().to_pydict() == {
            "h": [0, 1, 2],
            "x": [1.5, 2.5, 2.0],
        }
    lake.close()
