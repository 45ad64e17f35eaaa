"""Model files that are damaged, of another kind, or made to do harm (reliability faults 22, 64 and 72).

Some have digests that no longer fit; others were registered with right ones, as a broken build or an intruder with the
right to write would: those are refused by what they are. The server goes on with what it has, in the same process.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.api.conftest import Server, finish, start_server
from tests.faults.conftest import ROWS, Servers, Shop, open_control
from tests.faults.traffic import expected, until
from tests.faults.versions import add, changed_json, damage, files_of

from tidemill.core.errors import CorruptError
from tidemill.project import open_project
from tidemill.registry import retention
from tidemill.serving.loading import score_edges
from tidemill.training.artifact import EVALUATION, FEATURES, GOLDEN, MANIFEST, MODEL_ONNX
from tidemill.warehouse.control import audit

ASKED = {"rows": ROWS[:1]}


@dataclass
class Running:
    """A server of a project, for tests that only add versions."""

    shop: Shop
    server: Server

    @property
    def trap(self) -> Path:
        """A file that is there once a pickle was loaded."""
        return self.shop.root / "loaded"


@pytest.fixture(scope="module")
def running(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("damaged") / "shop"
    shutil.copytree(trained, root)
    with closing(open_control(root)) as db:
        server = start_server(root)
        yield Running(Shop(root, db), server)
        finish(server)


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def renamed_pickle(given: Running) -> bytes:
    return pickle.dumps(Touch(given.trap))


def pickled_array(given: Running) -> bytes:
    """An archive as it should be, whose array is a pickle."""
    written = io.BytesIO()
    np.savez(written, scores=np.array([Touch(given.trap)], dtype=object), allow_pickle=True)
    return written.getvalue()


def zip_bomb(_: Running) -> bytes:
    """A quarter of a gigabyte of zeros in a quarter of a megabyte."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("scores.npy", "w") as file:
        for _number in range(256):
            file.write(bytes(1 << 20))
    return written.getvalue()


def outside_data(given: Running) -> bytes:
    """The graph itself, with one of its tensors in another file: a valid ONNX model."""
    import onnx

    secret = given.shop.root / "secret"
    secret.write_bytes(bytes(64))
    graph = onnx.load_model_from_string(files_of(given.shop, 1)[MODEL_ONNX])
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", str(secret)
    found: bytes = graph.SerializeToString()
    return found


def cut(given: Running) -> bytes:
    data = files_of(given.shop, 1)[MODEL_ONNX]
    return data[: len(data) // 2]


def one_bit(given: Running) -> bytes:
    data = bytearray(files_of(given.shop, 1)[MODEL_ONNX])
    data[len(data) // 2] ^= 1
    return bytes(data)


def other_graph(_: Running) -> bytes:
    """A graph that is whole, and answers something else."""
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy")
    graph = helper.make_model(helper.make_graph([node], "other", [x], [y]), opset_imports=[helper.make_opsetid("", 17)])
    graph.ir_version = 8
    found: bytes = graph.SerializeToString()
    return found


def empty(_: Running) -> bytes:
    return b""


def text(_: Running) -> bytes:
    return b"<html>Not found</html>\n" * 20


CONTENTS = (renamed_pickle, zip_bomb, outside_data, cut, one_bit, other_graph, empty, text)


def rolled_back(given: Running, version: int) -> str:
    """Let a version on trial; why the server took it back."""
    shop, before = given.shop, given.server.predict(ASKED, name="shop").json["predictions"][0]
    shop.deploy(version, share=0.5)
    until(lambda: shop.now().challenger is None)
    assert shop.versions()[version].state == "rolled_back"
    after = given.server.predict(ASKED, name="shop").json
    assert after["version"] == 1
    assert after["predictions"][0]["probabilities"] == before["probabilities"]
    until(lambda: given.server.ask("GET", "/readyz").json["status"] == "ready")
    os.kill(given.server.pids[0], 0)  # the same process
    assert not given.trap.exists()
    return shop.versions()[version].reason


@pytest.mark.parametrize("content", CONTENTS)
def test_fault_22_a_model_file_that_changed_is_refused_by_its_digest_before_anything_reads_it(
    running: Running, content: Callable[[Running], bytes]
) -> None:
    # Another byte at the end of a file that nobody else has: versions share files that are equal.
    version = add(running.shop, {MODEL_ONNX: os.urandom(64)})
    damage(running.shop, version, MODEL_ONNX, content(running))

    assert "is not what was written: its digest differs" in rolled_back(running, version)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (renamed_pickle, "is refused"),
        (zip_bomb, "is refused"),
        (outside_data, "it keeps tensors in other files"),
        (cut, "is refused"),
        (other_graph, "cannot be loaded"),
        (empty, "is refused"),
        (text, "is refused"),
    ],
)
def test_fault_22_a_file_registered_as_a_model_that_is_none_is_refused_by_what_it_is(
    running: Running, content: Callable[[Running], bytes], words: str
) -> None:
    version = add(running.shop, {MODEL_ONNX: content(running)})

    assert words in rolled_back(running, version)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (MANIFEST, b"{"),
        (MANIFEST, b"{}"),
        (MANIFEST, b"[1]"),
        (FEATURES, b"\x80\x04."),
        (FEATURES, b'{"inputs": [{}]}'),
        (MODEL_ONNX, None),
        (FEATURES, None),
        (GOLDEN, b'{"rows": 3}'),
    ],
)
def test_fault_64_a_version_of_another_shape_is_taken_back_and_never_answers(
    running: Running, name: str, data: bytes | None
) -> None:
    assert rolled_back(running, add(running.shop, {name: data}))


def test_fault_72_a_version_that_answers_its_sample_rows_otherwise_than_in_training_is_refused(
    running: Running,
) -> None:
    def move(golden: Any) -> None:
        golden["scores"][3] = [0.9, 0.1] if golden["scores"][3][1] > 0.5 else [0.1, 0.9]

    version = add(running.shop, {GOLDEN: changed_json(running.shop, GOLDEN, move)})

    reason = rolled_back(running, version)

    assert f"buyers version {version} answers its sample rows up to" in reason
    assert "away from training" in reason
    (row,) = (one for one in audit.rows(running.shop.db) if one.why == reason)
    assert row.action == "roll back"


@pytest.mark.parametrize("content", [zip_bomb, pickled_array, renamed_pickle, cut, empty, text])
def test_fault_22_scores_that_training_kept_are_refused_before_they_are_unpacked(
    running: Running, content: Callable[[Running], bytes]
) -> None:
    with pytest.raises(CorruptError, match=r"evaluation.npz (unpacks to 256 MiB|cannot be read)"):
        score_edges({EVALUATION: content(running)}, classes=0)

    assert not running.trap.exists()


@pytest.mark.parametrize("damaged", ["file", "golden", "shape"])
def test_faults_22_and_72_a_champion_that_cannot_be_loaded_leaves_the_last_good_one_at_a_start(
    shop: Shop, serve: Servers, damaged: str
) -> None:
    wrong = {"golden": changed_json(shop, GOLDEN, lambda it: it.update(scores=[[1.0, 0.0] for _ in it["scores"]]))}
    name, data = {
        "file": (MODEL_ONNX, os.urandom(99)),
        "golden": (GOLDEN, wrong["golden"]),
        "shape": (FEATURES, b"[]"),
    }[damaged]
    shop.deploy(add(shop, {name: data}))
    assert shop.now().previous == 1

    server = serve(shop)

    answer = server.predict(ASKED, name="shop").json
    assert answer["version"] == 1
    assert answer["predictions"][0]["prediction"] == expected(shop, 1)[1][0][0]
    assert server.ask("GET", "/readyz").json == {"status": "degraded"}
    assert "deployment shop" in server.ask("GET", "/healthz").json["problems"]


def test_fault_22_without_any_version_that_can_be_loaded_it_says_so_and_lives(shop: Shop, serve: Servers) -> None:
    whole = files_of(shop, 1)[MODEL_ONNX]
    damage(shop, 1, MODEL_ONNX, b"")

    server = serve(shop)

    answer = server.predict(ASKED, name="shop")
    assert (answer.status, answer.json["error"]["code"]) == (503, "TM-UNAVAILABLE")
    assert server.ask("GET", "/readyz").status == 503
    assert server.ask("GET", "/livez").status == 200
    damage(shop, 1, MODEL_ONNX, whole)
    until(lambda: server.ask("GET", "/readyz").json["status"] == "ready")  # put back, it answers without a restart


def test_fault_64_where_a_rollback_goes_can_neither_be_dropped_nor_pruned(shop: Shop) -> None:
    shop.deploy(2)
    path = shop.root / "sql" / "buyers.sql"
    text = path.read_text()
    path.write_text(text[: text.index("CREATE OR REPLACE MODEL")])  # a statement that is gone drops what it made
    with open_project(shop.root) as project:
        report = project.run()
        assert report.status == "failed"
        (error,) = (step.error for step in report.steps if step.error is not None)
        assert "version 1 is where a rollback of deployment shop goes" in error.message
    retention.prune(shop.db, keep=1, who="test")

    shop.roll_back()

    shop.require_whole()
    assert shop.now().champion == 1


def test_fault_64_a_rollback_to_a_damaged_version_is_answered_by_the_copy_in_memory(shop: Shop, serve: Servers) -> None:
    shop.deploy(2)
    answers = expected(shop, 1)
    server = serve(shop)
    damage(shop, 1, MODEL_ONNX, b"")

    shop.roll_back()

    until(lambda: server.predict(ASKED, name="shop").json["version"] == 1)
    assert server.predict(ASKED, name="shop").json["predictions"][0]["prediction"] == answers[1][0][0]


def test_fault_64_a_rollback_to_a_version_that_never_loaded_leaves_the_one_that_answers_and_says_so(
    shop: Shop, serve: Servers
) -> None:
    shop.deploy(2)
    damage(shop, 1, MODEL_ONNX, b"")
    server = serve(shop)

    shop.roll_back()

    until(lambda: server.ask("GET", "/readyz").json == {"status": "degraded"})
    assert server.predict(ASKED, name="shop").json["version"] == 2
    assert "model.onnx" in json.dumps(server.ask("GET", "/healthz").json["problems"])
