"""Arrow batches, single rows and ONNX graphs must encode the same row to the same numbers."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import onnxruntime as ort
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.features.encode import BatchEncoder
from tidemill.features.learn import draft_plan, settle
from tidemill.features.learn_categories import learn_categories
from tidemill.features.onnx_builder import Builder
from tidemill.features.onnx_encoding import GraphEncoding, onnx_inputs_and_encoding
from tidemill.features.onnx_feed import feed, feed_row
from tidemill.features.plan import FeaturePlan
from tidemill.features.row import RowEncoder

TYPES: dict[str, pa.DataType] = {
    "number": pa.float64(),
    "whole": pa.int64(),
    "money": pa.decimal128(20, 3),
    "small": pa.float32(),
    "text": pa.string(),
    "choice": pa.dictionary(pa.int8(), pa.string()),
    "yes": pa.bool_(),
    "day": pa.date32(),
    "clock": pa.time64("us"),
    "instant": pa.timestamp("us", tz="UTC"),
    "naive": pa.timestamp("ms"),
    "raw": pa.binary(),
    "pair": pa.struct([("a", pa.int32()), ("b", pa.string())]),
    "dense": pa.list_(pa.float64()),
    "tags": pa.list_(pa.string()),
    "coded": pa.list_(pa.struct([("index", pa.int64()), ("value", pa.float64())])),
}

words = st.one_of(st.sampled_from(["", "a", "b", "é", "a\0b", "null", "日本", "A"]), st.text(max_size=4))
days = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
few_days = st.sampled_from([dt.date(2024, 2, 29), dt.date(1900, 3, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.floats(),
    "whole": st.integers(-(2**63), 2**63 - 1),
    # Arrow's cast of a decimal may be one unit in the last place off Python's. Standardised, that is as large as the
    # values are beside their deviation: where two of a million are 0.001 apart it is 2e-7, of a thousand million 2e-4.
    "money": st.decimals(-(10**6), 10**6, places=3),
    "small": st.floats(width=32),
    "text": words,
    "choice": words,
    "yes": st.booleans(),
    "day": st.one_of(few_days, days),
    "clock": st.one_of(st.just(dt.time(1, 2, 3, 4)), st.just(dt.time(0)), st.times()),
    "instant": st.datetimes(timezones=st.just(dt.UTC)),
    "naive": st.datetimes().map(lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)),
    "raw": st.one_of(st.just(b""), st.just(b"ab"), st.binary(max_size=3)),
    "pair": st.fixed_dictionaries({"a": st.none() | st.integers(-5, 5), "b": st.none() | words}),
    "dense": st.lists(st.none() | st.floats(), min_size=2, max_size=2),
    "tags": st.lists(st.none() | words, max_size=4),
    "coded": st.lists(st.fixed_dictionaries({"index": st.integers(0, 3), "value": st.floats(-1e6, 1e6)}), max_size=4),
}
rows_of = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=4)


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    arrays = []
    for name, type_ in TYPES.items():
        values = [row[name] for row in rows]
        if pa.types.is_dictionary(type_):
            arrays.append(pa.array(values, pa.string()).dictionary_encode().cast(type_))
        else:
            arrays.append(pa.array(values, type_))
    return pa.RecordBatch.from_arrays(arrays, names=list(TYPES))


def train(session: Any, batch: pa.RecordBatch, style: Any, method: str, outputs: int) -> FeaturePlan:
    session.put("t", pa.Table.from_batches([batch]))
    names = batch.schema.names
    learned = learn_categories(session, "FROM t", batch.schema, features=names)
    draft = draft_plan(batch.schema, learned, features=names, style=style, method=method, outputs=outputs)
    x = BatchEncoder(draft).matrix(batch)
    plan = settle(draft, x, y=np.arange(len(x)) % max(outputs, 2))
    np.testing.assert_array_equal(x, BatchEncoder(plan).matrix(batch))
    return plan


def graph_of(plan: FeaturePlan) -> tuple[ort.InferenceSession, GraphEncoding]:
    builder = Builder()
    encoding = onnx_inputs_and_encoding(plan, builder)
    model = builder.model([(encoding.tensor, "x", "float", (None, plan.width))])
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]), encoding


@pytest.mark.parametrize(
    ("style", "method", "outputs"),
    [
        ("linear", "", 1),
        ("linear", "DUMMY_ENCODING", 1),
        ("tree", "", 1),
        ("tree", "ONE_HOT_ENCODING", 1),
        ("tree", "TARGET_ENCODING", 1),
        ("tree", "TARGET_ENCODING", 3),
    ],
)
@given(seen=rows_of.filter(bool), asked=rows_of.filter(bool))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_three_readers_give_the_same_numbers(
    session: Any,
    style: str,
    method: str,
    outputs: int,
    seen: list[dict[str, Any]],
    asked: list[dict[str, Any]],
) -> None:
    plan = train(session, batch_of(seen), style, method, outputs)
    rows = [*seen, *asked]
    batch = batch_of(rows)

    matrix = BatchEncoder(plan).matrix(batch).astype(np.float32)
    by_row = np.array([RowEncoder(plan).encode(row) for row in rows], np.float32).reshape(matrix.shape)
    graph, encoding = graph_of(plan)
    by_graph = graph.run(None, feed(encoding.inputs, batch))[0]
    by_graph_row = np.concatenate([graph.run(None, feed_row(encoding.inputs, row))[0] for row in rows])

    assert np.isfinite(matrix).all()
    for other in (by_row, by_graph, by_graph_row):
        np.testing.assert_allclose(other, matrix, rtol=1e-6, atol=1e-6)


def test_what_cancels_in_a_sparse_array_leaves_no_rounding_behind(session: Any) -> None:
    coded = [{"index": 0, "value": value} for value in (987_654.3, -987_654.2, 0.1)]
    batch = batch_of([dict.fromkeys(TYPES) | {"coded": coded}])
    plan = train(session, batch, "tree", "", 1)

    by_row = RowEncoder(plan).encode(batch.to_pylist()[0])

    np.testing.assert_allclose(BatchEncoder(plan).matrix(batch)[0, -1], by_row[-1], rtol=1e-6)


def test_the_graph_is_the_same_bytes_each_time(session: Any) -> None:
    row = dict.fromkeys(TYPES) | {"number": 1.0, "text": "a", "money": decimal.Decimal("1.5")}
    plan = train(session, batch_of([row, row]), "linear", "", 1)

    first, second = (Builder(), Builder())
    models = [
        b.model([(onnx_inputs_and_encoding(plan, b).tensor, "x", "float", (None, None))]) for b in (first, second)
    ]

    assert models[0] == models[1]
