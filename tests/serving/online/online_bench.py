"""Rows of every type, models over them, and the answers of ML.PREDICT to compare with."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from typing import Any

import numpy as np
import pyarrow as pa
from tests.runner.functions.function_bench import Bench

from tidemill.registry.versions import LoadedModel
from tidemill.serving.online.model import OnlineModel
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel, TransformItem
from tidemill.warehouse.duckdb.row_transform import open_row_transform

#: 120 rows: a column of every type that can be a feature, with NULLs, and labels of each kind.
ROWS = """(
    SELECT
        i AS id,
        CASE WHEN i % 7 = 0 THEN NULL ELSE CAST(sin(i * 12.9898) * 50 AS DOUBLE) END AS number,
        CAST(i % 13 * 0.5 AS FLOAT) AS small,
        CASE WHEN i % 9 = 0 THEN NULL ELSE (i * 7919) % 101 - 20 END AS whole,
        CASE WHEN i % 11 = 0 THEN NULL ELSE CAST(i * 1.25 AS DECIMAL(12, 2)) END AS money,
        CASE i % 5 WHEN 0 THEN 'red' WHEN 1 THEN 'Green' WHEN 2 THEN 'blue' WHEN 3 THEN '' END AS colour,
        CASE WHEN i % 6 = 0 THEN NULL ELSE i % 2 = 0 END AS yes,
        CASE WHEN i % 8 = 0 THEN NULL ELSE DATE '1969-12-25' + CAST(i % 17 AS INTEGER) END AS day,
        CASE WHEN i % 8 = 1 THEN NULL ELSE TIME '23:59:59.5' - INTERVAL (i % 4) HOUR END AS clock,
        CASE WHEN i % 8 = 2 THEN NULL ELSE TIMESTAMP '2024-02-28 22:15:00.25' + INTERVAL (i * 7) HOUR END AS moment,
        CASE WHEN i % 8 <> 3 THEN TIMESTAMPTZ '1970-01-01 00:00:00+00' - INTERVAL (i * 5) MINUTE END AS instant,
        CASE WHEN i % 8 = 4 THEN NULL ELSE CAST('k' || (i % 3) AS BLOB) END AS raw,
        CASE WHEN i % 8 = 5 THEN NULL ELSE [CAST(i % 5 AS DOUBLE), NULL, 0.5 * (i % 3)] END AS dense,
        CASE WHEN i % 8 = 6 THEN NULL ELSE ['x' || (i % 3), 'y', NULL][1 : i % 4] END AS words,
        CASE WHEN i % 8 < 7
        THEN [{'index': CAST(i % 6 AS BIGINT), 'value': 1.5e0}, {'index': 2, 'value': -1e0}] END AS pairs,
        CASE WHEN i % 10 = 0 THEN NULL ELSE {'u': i % 4, 'v': CASE WHEN i % 3 = 0 THEN NULL ELSE 'w' || (i % 2) END}
        END AS part,
        CAST(i % 13 * 2 + CASE WHEN i % 5 = 1 THEN 10 ELSE 0 END + (i * 7919) % 101 AS DOUBLE) AS price,
        CASE WHEN (i * 7919) % 101 + i % 13 > 50 THEN 'yes' ELSE 'no' END AS sold,
        (i * 5 + i // 7) % 3 AS grade,
        (i * 7919) % 101 > 50 AS good
    FROM range(120) AS t(i)
)"""


def transform_items(text: str) -> tuple[TransformItem, ...]:
    """The items of a TRANSFORM clause."""
    statement = f"CREATE MODEL m TRANSFORM({text}) OPTIONS(model_type='linear_reg') AS SELECT 1 AS a"
    parsed = parse_text(statement, file="m.sql", dialect="duckdb")[0]
    assert isinstance(parsed, CreateModel)
    return parsed.transform


def opened(model: LoadedModel) -> OnlineModel:
    """The model as a server opens it."""
    return OnlineModel.open(model.files, name=model.name, version=1, digest="d", transform=open_row_transform)


def json_value(value: Any) -> Any:
    """A value of a table as a client writes it."""
    match value:
        case dict():
            return {name: json_value(part) for name, part in value.items()}
        case list():
            return [json_value(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode()
        case decimal.Decimal():
            return float(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return value


def json_rows(bench: Bench, sql: str, columns: list[str]) -> list[dict[str, Any]]:
    """Rows of a query as a client writes them."""
    names = ", ".join(f'"{name}"' for name in columns)
    rows = bench.session.query(f"SELECT {names} FROM ({sql})").read_all().to_pylist()
    return [{name: json_value(value) for name, value in row.items()} for row in rows]


def predicted(bench: Bench, model: LoadedModel, sql: str) -> tuple[list[Any], np.ndarray]:
    """What ML.PREDICT says: labels or numbers, and probabilities in ascending order of the class (or the numbers)."""
    table: pa.Table = bench.call("ML.PREDICT", model, sql)
    label = model.manifest["label"]["column"]
    called = table.column(f"predicted_{label}").to_pylist()
    if not model.manifest["label"]["classes"]:
        return called, np.array(called)
    probs = table.column(f"predicted_{label}_probs").to_pylist()
    return called, np.array([[pair["prob"] for pair in reversed(row)] for row in probs])


def check_same(bench: Bench, model: LoadedModel, sql: str) -> OnlineModel:
    """Compare a server's answers, row by row, together and by columns, with ML.PREDICT's; the served model."""
    online = opened(model)
    rows = json_rows(bench, sql, [given.name for given in online.inputs])
    called, numbers = predicted(bench, model, sql)
    by_column = {name: [row[name] for row in rows] for name in rows[0]}
    together = [
        online.rows_of_body(json.dumps({"rows": rows}).encode()),
        online.rows_of_body(json.dumps({"columns": by_column}).encode()),
        online.rows_of_dicts(rows),
    ]
    for parsed in together:
        answers = online.answer(parsed)
        found = np.array(answers.predictions if answers.probabilities is None else answers.probabilities)
        scale = max(1.0, float(np.abs(numbers).max()))
        np.testing.assert_allclose(found, numbers, rtol=0, atol=1e-5 * scale)
        again = online.rows_of_body(parsed.inputs_json())
        np.testing.assert_array_equal(online.answer(again).scores, answers.scores)
        if answers.probabilities is not None:
            clear = np.abs(np.sort(numbers, axis=1)[:, -1] - np.sort(numbers, axis=1)[:, -2]) > 1e-4
            assert [a for a, sure in zip(answers.predictions, clear, strict=True) if sure] == [
                b for b, sure in zip(called, clear, strict=True) if sure
            ]
    whole = online.answer(together[0])
    for row, score in list(zip(rows, whole.scores, strict=True))[:25]:
        single = online.answer(online.rows_of_body(json.dumps({"rows": [row]}).encode()))
        np.testing.assert_allclose(single.scores[0], score, rtol=1e-6, atol=1e-6)
    far = online.check_golden()
    assert far is not None
    assert far <= 1e-5
    return online
