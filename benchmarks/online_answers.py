"""Microseconds an answer as JSON: ``python -m benchmarks.online_answers [--quick]``. One thread; a model is kept."""

from __future__ import annotations

import json
import random
import sys
import timeit
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime

from benchmarks.common import OUT
from tidemill.serving.online.model import OnlineModel

NUMBERS = [f"n{i}" for i in range(10)]
TEXTS = [f"c{i}" for i in range(6)]
FOLDER = OUT / "online"
ROWS = """
SELECT {numbers}, {texts},
       CASE WHEN hash(range * 17) % 10007 / 100.0 + (hash(range * 3 + 1) % 8) * 5 + hash(range) % 50 > 80
       THEN 'yes' ELSE 'no' END AS label FROM range(20000)
"""


def main(quick: bool) -> None:
    if not (FOLDER / "model.onnx").exists():
        train()
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    model = OnlineModel.open(files, name="m", version=1, digest="")
    by_hand = ByHand(files)
    times = {}
    for rows in (1, 100):
        given = [row(random.Random(i)) for i in range(rows)]
        body = json.dumps({"rows": given}).encode()
        columns = json.dumps({"columns": {name: [one[name] for one in given] for name in given[0]}}).encode()
        check(model, by_hand, body)
        count = max(10, (20 if quick else 4000) // rows)
        plural = "row" if rows == 1 else "rows"
        times[f"Tidemill, {rows} {plural}"] = measured(model, body, count)
        times[f"Tidemill, {rows} {plural} as columns"] = measured(model, columns, count)
        times[f"by hand, {rows} {plural}"] = {"all": micros(partial(by_hand.answer, body), count)}
    print(json.dumps(times))


def measured(model: OnlineModel, body: bytes, count: int) -> dict[str, float]:
    parsed = model.rows_of_body(body)
    answers = model.answer(parsed)
    ids = [f"01J0000000000000-{i}" for i in range(parsed.n)]
    return {
        "read": micros(lambda: model.rows_of_body(body), count),
        "answer": micros(lambda: model.answer(parsed), count),
        "write": micros(lambda: model.encode_predictions(answers, ids), count),
        "for the log": micros(parsed.inputs_json, count),
        "all": micros(lambda: model.encode_predictions(model.answer(model.rows_of_body(body)), ids), count),
    }


def micros(call: Callable[[], object], count: int) -> float:
    return min(timeit.repeat(call, number=count, repeat=5)) / count * 1e6


def row(rng: random.Random) -> dict[str, Any]:
    numbers: dict[str, Any] = {name: None if rng.random() < 0.02 else round(rng.random() * 100, 2) for name in NUMBERS}
    return numbers | {name: f"v{i}_{rng.randrange(5 + 3 * i)}" for i, name in enumerate(TEXTS)}


def check(model: OnlineModel, by_hand: ByHand, body: bytes) -> None:
    ours = model.answer(model.rows_of_body(body)).scores
    theirs = np.array(json.loads(by_hand.answer(body))["predictions"])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


class ByHand:
    """The limit: decoded straight into a struct, encoded by dictionaries, scored by the encoded matrix's graph."""

    def __init__(self, files: dict[str, bytes]) -> None:
        plan = json.loads(files["features.json"])
        known = {feature["name"]: feature["encoding"] for feature in plan["features"]}
        self.means = np.array([known[name]["mean"] for name in NUMBERS], np.float32)
        self.codes = [{value: i + 1.0 for i, value in enumerate(known[name]["vocabulary"])} for name in TEXTS]
        fields: list[Any] = [(name, float | None) for name in NUMBERS] + [(name, str | None) for name in TEXTS]
        one: Any = msgspec.defstruct("Row", fields, gc=False)
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(
            msgspec.defstruct("Body", [("rows", list[one])], gc=False)
        ).decode
        self.encode = msgspec.json.Encoder().encode
        self.numbers, self.words = attrgetter(*NUMBERS), attrgetter(*TEXTS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.run = onnxruntime.InferenceSession(files["scores.onnx"], options, providers=["CPUExecutionProvider"]).run

    def answer(self, body: bytes) -> bytes:
        rows = self.decode(body).rows
        flat: list[float | None] = []
        c0, c1, c2, c3, c4, c5 = self.codes
        for one in rows:
            a, b, c, d, e, f = self.words(one)
            flat += self.numbers(one)
            flat += (c0.get(a, 0.0), c1.get(b, 0.0), c2.get(c, 0.0), c3.get(d, 0.0), c4.get(e, 0.0), c5.get(f, 0.0))
        x = np.array(flat, np.float32).reshape(len(rows), -1)
        if None in flat:
            numbers = x[:, : len(NUMBERS)]
            np.copyto(numbers, self.means, where=np.isnan(numbers))
        return self.encode({"predictions": self.run(None, {"x": x})[0][:, 1].tolist()})


def train() -> None:
    """A hundred trees over twenty thousand rows."""
    import tempfile

    from tidemill.evaluation.judge import judge
    from tidemill.model_types.table import MODEL_TYPES
    from tidemill.training.task import TrainTask
    from tidemill.training.train import train as fit
    from tidemill.warehouse.duckdb.lake import open_lake

    numbers = ", ".join(
        f"CASE WHEN hash(range * 31 + {i}) % 20 > 0 THEN hash(range * 17 + {i}) % 10007 / 100.0e0 END AS n{i}"
        for i in range(10)
    )
    texts = ", ".join(
        f"CASE WHEN hash(range * 5 + {i}) % 30 > 0 THEN 'v{i}_' || hash(range * 3 + {i}) % {5 + 3 * i} END AS c{i}"
        for i in range(6)
    )
    row = MODEL_TYPES["BOOSTED_TREE_CLASSIFIER"]
    options = {option.name.lower(): option.default for option in row.options if option.status == "supported"}
    options |= {"max_iterations": 100, "early_stop": False, "input_label_cols": ["label"]}
    with tempfile.TemporaryDirectory() as name:
        lake = open_lake(Path(name) / ".tidemill", search_path=Path(name), threads=2)
        with lake.session() as session:
            sql = ROWS.format(numbers=numbers, texts=texts)
            task = TrainTask(session=session, sql=sql, name="m", model_type=row, options=options, ordered=True)
            files = fit(task, judge=judge).files
        lake.close()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (FOLDER / file).write_bytes(data)


if __name__ == "__main__":
    main("--quick" in sys.argv)
