"""ML.DESCRIBE_DATA against pandas and by its published rules; columns by name, order and type."""

from __future__ import annotations

import pathlib

import pandas as pd
import pyarrow as pa
import pytest

from tidemill.core.errors import OptionError, UnsupportedError
from tidemill.project import Project, open_project

COLUMNS = (
    "name num_rows num_nulls num_zeros min max mean stdev median quantiles unique avg_string_length num_values "
    "top_values min_array_length max_array_length avg_array_length total_array_length array_length_quantiles dimension"
)


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    (tmp_path / "tidemill.toml").write_text("")
    return open_project(tmp_path)


def described(project: Project, query: str, settings: str = "") -> dict[str, dict[str, object]]:
    rows = project.sql(f"SELECT * FROM ML.DESCRIBE_DATA(({query}){settings})").to_arrow()
    return {row["name"]: row for row in rows.to_pylist()}


def test_figures_are_those_of_pandas(project: Project, shared_data: pathlib.Path) -> None:
    file = shared_data / "adult" / "adult_train.csv"
    frame = pd.read_csv(file)

    with project:
        found = described(project, f"SELECT * FROM '{file}'", ", STRUCT(4 AS num_quantiles, 3 AS top_k)")

    assert list(found) == list(frame.columns)
    age, work = found["age"], found["workclass"]
    assert (age["num_rows"], age["num_nulls"], age["num_zeros"], age["unique"]) == (len(frame), 0, 0, None)
    assert (age["min"], age["max"]) == (str(frame["age"].min()), str(frame["age"].max()))
    assert age["mean"] == pytest.approx(frame["age"].mean(), rel=1e-12)
    assert age["stdev"] == pytest.approx(frame["age"].std(), rel=1e-12)
    shares = [0, 0.25, 0.5, 0.75, 1]
    assert age["quantiles"] == frame["age"].quantile(shares, interpolation="lower").tolist()
    top = frame["workclass"].value_counts()
    assert work["top_values"] == [{"value": value, "count": count} for value, count in top.head(3).items()]
    assert work["unique"] == frame["workclass"].nunique()
    assert work["avg_string_length"] == pytest.approx(frame["workclass"].str.len().mean())
    assert work["mean"] is work["quantiles"] is None


def test_the_columns_are_bigquery_mls_in_its_order(project: Project) -> None:
    with project:
        schema = project.sql("SELECT * FROM ML.DESCRIBE_DATA((SELECT 1 AS a))").schema

    assert " ".join(schema.names) == COLUMNS
    assert schema.field("top_values").type == pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))


def test_structs_come_by_field_and_arrays_by_item(project: Project) -> None:
    query = (
        "SELECT {'a': i, 'b': 'x' || i} AS s, range(i) AS l,"
        " [{'index': 4, 'value': 0.5}, {'index': i, 'value': 0.0}] AS sparse FROM range(1, 4) AS t(i)"
    )

    with project:
        found = described(project, query)

    assert list(found) == ["s.a", "s.b", "l", "sparse"]
    assert found["s.a"]["mean"] == 2.0
    assert found["s.b"]["unique"] == 3
    items = found["l"]
    assert (items["min_array_length"], items["max_array_length"], items["total_array_length"]) == (1, 3, 6)
    assert (items["num_values"], items["num_zeros"], items["max"], items["dimension"]) == (6, 3, "2", None)
    assert (found["sparse"]["dimension"], found["sparse"]["num_zeros"], found["sparse"]["max"]) == (5, 3, "0.5")


def test_what_bigquery_does_not_take_is_refused_by_name(project: Project) -> None:
    with project, pytest.raises(UnsupportedError, match="does not take the column m"):
        described(project, "SELECT MAP {1: 2} AS m")
    with project, pytest.raises(OptionError):
        described(project, "SELECT 1 AS a", ", STRUCT(0 AS top_k)")


def test_no_rows_give_rows_of_nothing(project: Project) -> None:
    with project:
        found = described(project, "SELECT 1 AS a, 'x' AS b LIMIT 0")

    assert (found["a"]["num_rows"], found["a"]["mean"], found["b"]["top_values"]) == (0, None, None)
