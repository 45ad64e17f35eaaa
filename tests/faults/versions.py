"""Versions made by hand, with right digests: what a broken build, another library or an intruder would put there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.faults.conftest import Shop

from tidemill.registry.versions import StoredFiles
from tidemill.training.artifact import FEATURES, GOLDEN, MODEL_ONNX, json_file
from tidemill.training.graphs import PROBABILITIES
from tidemill.training.result import artifact_digest
from tidemill.warehouse.control.models import ArtifactFile, add_version, get_version


def files_of(shop: Shop, version: int) -> dict[str, bytes]:
    """The files of a version."""
    return dict(StoredFiles(shop.store, get_version(shop.db, "buyers", version)))


def add(shop: Shop, changed: Mapping[str, bytes | None], *, base: int = 1) -> int:
    """A version that is a copy of another but for some files; None takes a file away."""
    before = get_version(shop.db, "buyers", base)
    files = {name: data for name, data in (files_of(shop, base) | dict(changed)).items() if data is not None}
    digests = shop.store.put(files)
    listed = tuple(ArtifactFile(name=name, sha256=digests[name], bytes=len(data)) for name, data in files.items())
    made = replace(
        before,
        files=listed,
        digest=artifact_digest(files),
        run_id=shop.db.clock.new_id(),
        version=0,
        created_at=None,
    )
    return add_version(shop.db, made).version


def damage(shop: Shop, version: int, name: str, data: bytes) -> None:
    """Write other bytes over a file of a version; its digest stays what it was."""
    (file,) = (one for one in get_version(shop.db, "buyers", version).files if one.name == name)
    path = shop.store.path(file.sha256)
    path.chmod(0o600)
    path.write_bytes(data)


def changed_json(shop: Shop, name: str, change: Any) -> bytes:
    """One of the JSON files of the first version, changed."""
    value = json.loads(files_of(shop, 1)[name])
    change(value)
    return json_file(value)


def asking_more(shop: Shop) -> int:
    """The first version, but it needs a column ``coupon`` besides."""
    plan = changed_json(shop, FEATURES, lambda it: it["inputs"].append({"name": "coupon", "type": "double"}))
    return add(shop, {FEATURES: plan, GOLDEN: None})


def turned(shop: Shop) -> int:
    """The first version with its classes swapped: what it says yes to, the first says no to."""
    import onnx
    from onnx import TensorProto, helper

    graph = onnx.load_model_from_string(files_of(shop, 1)[MODEL_ONNX])
    _rename_output(graph)
    graph.graph.initializer.append(helper.make_tensor("turned", TensorProto.INT64, [2], [1, 0]))
    graph.graph.node.append(helper.make_node("Gather", ["before", "turned"], [PROBABILITIES], axis=1))
    return add(shop, {MODEL_ONNX: graph.SerializeToString(), GOLDEN: None})


def slow(shop: Shop, *, size: int = 400) -> int:
    """The first version, with a product of large matrices on its way: the same answers, later."""
    import onnx
    from onnx import TensorProto, helper

    graph = onnx.load_model_from_string(files_of(shop, 1)[MODEL_ONNX])
    _rename_output(graph)
    graph.graph.initializer.append(
        helper.make_tensor("large", TensorProto.FLOAT, [size, size], bytes(4 * size * size), raw=True)
    )
    graph.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["before"], ["one"], keepdims=0),
            helper.make_node("Mul", ["large", "one"], ["fed"]),
            helper.make_node("MatMul", ["fed", "large"], ["product"]),
            helper.make_node("ReduceMax", ["product"], ["nothing"], keepdims=0),
            helper.make_node("Add", ["before", "nothing"], [PROBABILITIES]),
        ]
    )
    return add(shop, {MODEL_ONNX: graph.SerializeToString()})


def _rename_output(graph: Any) -> None:
    """Call what was the graph's output ``before``."""
    for node in graph.graph.node:
        for at, name in enumerate(node.output):
            if name == PROBABILITIES:
                node.output[at] = "before"
        for at, name in enumerate(node.input):
            if name == PROBABILITIES:
                node.input[at] = "before"
