"""Opening a version: what a process loads for it, and which graphs it will not touch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.runner.functions.function_bench import Bench
from tests.serving.online.online_bench import ROWS, opened, transform_items

from tidemill.core.errors import CorruptError
from tidemill.serving.online.graph import check_graph, open_graph

HEAVY = {"pyarrow", "duckdb", "sqlglot", "onnx", "xgboost", "pandas", "sklearn", "scipy"}

SCRIPT = """
import json, sys
sys.modules["pandas"] = None  # it is no dependency of ours; DuckDB imports it where it is installed
from pathlib import Path
from tidemill.serving.online.model import OnlineModel
from tidemill.warehouse.duckdb.row_transform import open_row_transform

folder, body = Path(sys.argv[1]), sys.argv[2].encode()
files = {path.name: path.read_bytes() for path in folder.iterdir()}
model = OnlineModel.open(files, name="m", version=1, digest="d", transform=open_row_transform)
parsed = model.rows_of_body(body)
answers = model.answer(parsed)
model.check_golden()
scores = model.answer_each(model.rows_of_body(body, each=True))[0].scores.tolist()
print(model.encode_predictions(answers, ["a"]).decode())
print(json.dumps([scores, sorted({name.split(".")[0] for name, module in sys.modules.items() if module})]))
"""


def in_a_fresh_process(folder: Path, files: dict[str, bytes], row: dict[str, object]) -> tuple[list[float], set[str]]:
    """Scores of a row, and what the process loaded."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    text = json.dumps({"rows": [row]})
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(folder), text], capture_output=True, text=True, check=True)
    scores, loaded = json.loads(done.stdout.splitlines()[-1])
    return scores, set(loaded)


def test_opening_and_answering_loads_no_heavy_package(bench: Bench, tmp_path: Path) -> None:
    items = transform_items("* EXCLUDE (id, sold, grade, good), number * 2 AS twice, EXTRACT(MONTH FROM day) AS month")
    model = bench.train("fresh", "BOOSTED_TREE_REGRESSOR", f"SELECT * FROM {ROWS}", "price", transform=items)
    online = opened(model)
    row = {given.name: None for given in online.inputs}

    scores, loaded = in_a_fresh_process(tmp_path, dict(model.files), dict(row))

    assert not HEAVY & loaded
    assert scores == online.answer(online.rows_of_dicts([row])).scores.tolist()


def test_a_transform_in_the_engine_loads_the_engine_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    items = transform_items("FARM_FINGERPRINT(colour) % 7 AS h, LOWER(colour) AS l, price")
    model = bench.train("fresh_engine", "LINEAR_REG", f"SELECT * FROM {ROWS}", "price", transform=items)
    online = opened(model)

    scores, loaded = in_a_fresh_process(tmp_path, dict(model.files), {"colour": "red"})

    assert HEAVY & loaded == {"duckdb"}
    assert scores == pytest.approx(online.answer(online.rows_of_dicts([{"colour": "red"}])).scores.tolist())


def graph(**more: object) -> bytes:
    """A graph that adds a constant to ``x``."""
    one = numpy_helper.from_array(np.ones((1, 1)), "one")
    node = helper.make_node("Add", ["x", "one"], ["y"], domain=str(more.get("domain", "")))
    shape = [None, 1]
    made = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, shape)],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, shape)],
        [one],
    )
    opsets = [helper.make_opsetid("", 18)]
    if "domain" in more:
        opsets.append(helper.make_opsetid(str(more["domain"]), 1))
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString())


def test_a_plain_graph_is_opened() -> None:
    check_graph(graph(), name="m")
    (out,) = open_graph(graph(), outputs=["y"], name="m")({"x": np.array([[2.0]])})
    assert out.tolist() == [[3.0]]


def with_external_data(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def with_a_hidden_tensor(model: onnx.ModelProto) -> None:
    tensor = TensorProto(data_location=TensorProto.EXTERNAL, data_type=TensorProto.FLOAT)
    model.graph.node.append(helper.make_node("Constant", [], ["z"], value=tensor))


def with_a_graph_inside(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([helper.make_node("Shell", ["x"], ["y"], domain="evil")], "g", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner))


def with_functions(model: onnx.ModelProto) -> None:
    model.functions.append(helper.make_function("own", "f", ["x"], ["y"], [], []))


def with_sparse_tensors(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_external_data, "other files"),
        (with_a_hidden_tensor, "other files"),
        (with_a_graph_inside, "operators of evil"),
        (with_functions, "functions of its own"),
        (with_sparse_tensors, "sparse"),
    ],
)
def test_graphs_that_reach_outside_are_refused(change: object, words: str) -> None:
    model = onnx.load_from_string(graph())
    assert callable(change)
    change(model)
    with pytest.raises(CorruptError, match=words):
        check_graph(model.SerializeToString(), name="m")


def test_operators_of_other_domains_are_refused() -> None:
    with pytest.raises(CorruptError, match="com.microsoft"):
        check_graph(graph(domain="com.microsoft"), name="m")


@pytest.mark.parametrize("text", [b"\xff" * 20, b"\x3a\xff\xff\xff\xff\x7f", b"hello world"])
def test_bytes_that_are_no_graph_are_refused(text: bytes) -> None:
    with pytest.raises(CorruptError, match="refused"):
        check_graph(text, name="m")
