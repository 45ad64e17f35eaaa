"""What the Open Inference Protocol asks of models that cannot answer, and half-precision numbers (faults 50, 51)."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Server
from tests.faults.conftest import ROWS, Servers, Shop
from tests.faults.traffic import until

from tidemill.serving.changes import apply_move
from tidemill.serving.machine import stop

KINDS = {"pages": "INT64", "calls": "INT64", "country": "BYTES", "spend": "INT64"}


def infer(server: Server, path: str = "shop", **kinds: str) -> Any:
    inputs = [
        {"name": name, "shape": [1], "datatype": kinds.get(name, kind), "data": [ROWS[1][name]]}
        for name, kind in KINDS.items()
    ]
    return server.ask("POST", f"/v2/models/{path}/infer", {"id": "7", "inputs": inputs})


def test_fault_51_a_model_that_is_not_ready_is_told_in_the_same_form_as_one_that_is_not_there(
    shop: Shop, serve: Servers
) -> None:
    server = serve(shop)
    assert (infer(server).status, server.ask("GET", "/v2/models/shop/ready").status) == (200, 200)
    apply_move(shop.db, "shop", lambda now, _: stop(now, stopped=True), who="test")
    until(lambda: server.ask("GET", "/v2/models/shop/ready").status == 503)

    asked = ("shop", "shop/versions/1", "nothing", "shop/versions/9", "shop/versions/x")
    found = {path: infer(server, path) for path in asked}

    assert {path: answer.status for path, answer in found.items()} == {
        "shop": 503,
        # The stop button holds for versions that clients name, too.
        "shop/versions/1": 503,
        "nothing": 404,
        "shop/versions/9": 404,
        "shop/versions/x": 404,
    }
    assert all(isinstance(answer.json["error"], str) for answer in found.values())
    assert found["shop"].headers["retry-after"]


def test_fault_50_half_precision_in_json_is_read_exactly_or_refused_by_name(shop: Shop, serve: Servers) -> None:
    server = serve(shop)
    whole = infer(server).json
    assert whole["id"] == "7"

    half, brain = infer(server, pages="FP16"), infer(server, pages="BF16")

    assert half.status == 200
    assert half.json["outputs"] == whole["outputs"]
    assert (brain.status, brain.json["error"].count("pages")) == (400, 1)
