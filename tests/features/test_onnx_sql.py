"""TRANSFORM in the graph gives what the engine's SQL gives."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import onnxruntime as ort
import pyarrow as pa
import pytest

from tidemill.core.errors import Where
from tidemill.features.encode import BatchEncoder
from tidemill.features.learn import draft_plan, settle
from tidemill.features.learn_categories import learn_categories
from tidemill.features.onnx_builder import Builder
from tidemill.features.onnx_encoding import GraphEncoding, onnx_inputs_and_encoding
from tidemill.features.onnx_feed import feed
from tidemill.features.plan import InputColumn
from tidemill.features.transform import freeze_transform
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel

DAYS = [dt.date(2024, 2, 29), dt.date(1969, 12, 31), None, dt.date(2000, 1, 1), dt.date(2023, 10, 5), dt.date(1, 1, 1)]
PAIRS = [None, *({"u": u, "v": v} for u, v in [(1, "p"), (None, "q"), (4, None), (5, "p"), (6, "r")])]
TABLE = pa.table(
    {
        "a": pa.array([1.5, -2.5, None, 0.5, 2.5, 100.25]),
        "b": pa.array([3, 0, 7, None, -4, 12], pa.int64()),
        "c": pa.array(["x", "", None, "y", "x", "z"]),
        "yes": pa.array([True, False, None, True, False, True]),
        "day": pa.array(DAYS),
        "at": pa.array([0, -1, None, 1_700_000_000_123_456, 86_400_000_000, 5], pa.timestamp("us", tz="UTC")),
        "s": pa.array(PAIRS),
        "t": pa.array(["red", "é", None, "(a)\nb$", "a\\b", "éé"]),
        "local": pa.array([1_709_208_000_000_000, -1, 5, None, -86_400_000_001, 999_999], pa.timestamp("us")),
        "dense": pa.array([[1.0, 2.0], [3.0, 4.0], None, [5.0, 6.0], [7.0, 8.0], [9.0, 1.0]]),
    }
)  # fmt: skip


def graph_of(session: Any, text: str, style: Any = "tree") -> tuple[np.ndarray, GraphEncoding, np.ndarray | None]:
    """What SQL and the batch reader give, the graph's encoding, and what the graph gives from raw columns."""
    session.put("t", TABLE)
    statement = f"CREATE MODEL m TRANSFORM({text}) OPTIONS(model_type='linear_reg') AS SELECT 1 AS a"
    parsed = parse_text(statement, file="m.sql", dialect="duckdb")[0]
    assert isinstance(parsed, CreateModel)
    where = Where(file="m.sql", line=1, column=1)
    frozen = freeze_transform(parsed.transform, session=session, sql="FROM t", schema=TABLE.schema, where=where)
    sql = "SELECT " + ", ".join(f'{column.sql} AS "{column.name}"' for column in frozen) + " FROM t"
    schema = session.schema(sql)
    learned = learn_categories(session, sql, schema, features=schema.names)
    raw = [InputColumn(name=field.name, type=str(field.type)) for field in TABLE.schema]
    draft = draft_plan(schema, learned, features=schema.names, style=style, inputs=raw, transforms=frozen)
    batch = session.query(sql).read_all().combine_chunks().to_batches()[0]
    x = BatchEncoder(draft).matrix(batch)
    plan = settle(draft, x)
    builder = Builder()
    encoding = onnx_inputs_and_encoding(plan, builder)
    model = builder.model([(encoding.tensor, "x", "float", (None, plan.width))])
    if encoding.reason:
        return x, encoding, None
    graph = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return x, encoding, graph.run(None, feed(encoding.inputs, TABLE.combine_chunks().to_batches()[0]))[0]


@pytest.mark.parametrize(
    "text",
    [
        "a, b, c, yes, day, s, dense",
        "at",
        "a + b * 2 - 1 AS x, a / 4 AS y, -a AS z, b % 5 AS m",
        "ABS(a) AS p, EXP(b / 10) AS q, SQRT(ABS(b)) AS r, LN(ABS(b) + 1) AS l, POW(b, 2) AS w",
        "ROUND(a) AS r0, ROUND(a, 1) AS r1, FLOOR(a) AS f, CEIL(a) AS c0, CAST(a AS BIGINT) AS i",
        "GREATEST(a, b) AS g, LEAST(a, b, 0) AS l",
        "CASE WHEN a > 1 THEN 'big' WHEN a < 0 THEN 'neg' END AS k, IF(b >= 7, 1, 0) AS i",
        "CASE c WHEN 'x' THEN 1 WHEN '' THEN 2 ELSE b END AS k",
        "COALESCE(a, b, 0) AS n, COALESCE(c, 'none') AS t, NULLIF(b, 7) AS u, COALESCE(c, NULL, 'q') AS v",
        "a > 1 AND NOT (b = 7 OR c = 'y') AS p, a IS NULL OR yes AS q, c IN ('x', 'z') AS r, c <> 'x' AS e",
        "b IN (3, 7) AS i, b NOT IN (3, 7) AS n, a BETWEEN 0 AND 3 AS w, yes IS TRUE AS t, c IS NOT NULL AS h",
        "CAST(yes AS INTEGER) AS y, (a <= b) AS le, (b <> 3) AS ne",
        "YEAR(day) AS y, EXTRACT(MONTH FROM day) AS m, EXTRACT(DAY FROM day) AS d, EXTRACT(DOW FROM day) AS w",
        "DAYOFYEAR(day) AS j, QUARTER(day) AS q",
        "ML.STANDARD_SCALER(a) OVER() AS z, ML.MIN_MAX_SCALER(b) OVER() AS m, ML.MAX_ABS_SCALER(a) OVER() AS x",
        "ML.ROBUST_SCALER(a) OVER() AS r, ML.IMPUTER(a, 'mean') OVER() AS i",
        "ML.IMPUTER(c, 'most_frequent') OVER() AS t",
        "ML.BUCKETIZE(a, [0, 1, 2]) AS bk, ML.QUANTILE_BUCKETIZE(b, 3) OVER() AS q",
        "ML.LABEL_ENCODER(c, 10, 1) OVER() AS l, ML.ONE_HOT_ENCODER(c, 'none', 10, 1) OVER() AS o",
        "ML.ONE_HOT_ENCODER(c, 'most_frequent', 10, 1) OVER() AS o, a",
        "ML.POLYNOMIAL_EXPAND({'a': a, 'b': b}) AS p",
        "s.u AS su, s.*",
        "EXTRACT(SECOND FROM at) AS s, EXTRACT(ISODOW FROM day) AS i, EXTRACT(ISODOW FROM at) AS j",
        "day - DATE '2000-02-29' AS d, DATE_DIFF('day', day, at) AS e, DATE_DIFF('month', DATE '1999-12-31', day) AS m",
        "DATE_DIFF('quarter', day, local) AS q, DATE_DIFF('year', local, at) AS y, DATE_DIFF('day', local, day) AS d",
        "day < DATE '2001-01-01' AS a, at >= local AS b, local = TIMESTAMP '2024-02-29 12:00:00' AS c, day <> at AS d",
        "CAST(at AS DATE) - day AS a, CAST(local AS DATE) > day AS b, CAST(day AS TIMESTAMP) <= local AS c",
        "c || '-' || t AS j, c || 'q' AS l, (c || t) IN ('xred', 'yé') AS i",
        "c LIKE 'x%' AS p, t LIKE '%e_' AS q, t NOT LIKE '_' AS n, t LIKE 'r.d' AS r",
        "t LIKE '%' AS s, t LIKE '(%' AS u",
        "t LIKE 'a\\%' AS b, t LIKE '%\n%' AS l, t LIKE '__' AS two, t LIKE '%$' AS e, t LIKE '' AS none",
        "a NOTNULL AS n, b ISNULL AS i, c IS NOT NULL AS h, NOT (c IS NULL) AS k, c NOT IN ('x') AS o",
        "a NOT BETWEEN 0 AND 3 AS w, yes IS NOT TRUE AS t, yes IS NOT FALSE AS f",
        "CAST(yes AS VARCHAR) AS w, CAST(a > 1 AS VARCHAR) || c AS v",
        "ML.FEATURE_CROSS({'c': c, 't': t, 'yes': yes}) AS f",
    ],
)
@pytest.mark.parametrize("style", ["tree", "linear"])
def test_the_graph_says_what_the_engine_says(session: Any, text: str, style: str) -> None:
    expected, encoding, found = graph_of(session, text, style)

    assert encoding.reason == ""
    assert found is not None
    np.testing.assert_allclose(found, expected.astype(np.float32), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LOWER(c) AS l", "LOWER"),
        ("ML.HASH_BUCKETIZE(c, 5) AS h, a", "farm_fingerprint"),
        ("CAST(b AS VARCHAR) || c AS l", "CAST"),
        ("c LIKE t AS l", "pattern"),
        ("DATE_DIFF('week', day, at) AS l", "week"),
    ],
)
def test_what_the_graph_cannot_say_stays_outside_with_a_reason(session: Any, text: str, words: str) -> None:
    _, encoding, _ = graph_of(session, text)

    assert words in encoding.reason
    assert encoding.inputs[0].column in ("l", "h")


def test_the_graph_is_fed_only_the_columns_it_reads(session: Any) -> None:
    _, encoding, _ = graph_of(session, "a + 1 AS x, a * 2 AS y, c")

    assert [given.name for given in encoding.inputs] == ["a", "c"]
