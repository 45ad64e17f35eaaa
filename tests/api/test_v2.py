"""Open Inference Protocol 2: what it asks for, and what is wrong with requests (reliability faults 50 and 51)."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from tests.api.conftest import OTHER, ROW, Answer, Server

TYPES = {"age": "INT64", "income": "FP64", "region": "BYTES", "since": "BYTES"}
TEXT = b'{"inputs":[{"name":"a","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}'
INFER = "/v2/models/churn/infer"


def tensors(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [len(rows)], "datatype": kind, "data": [row[name] for row in rows]}
        for name, kind in TYPES.items()
    ]


def infer(server: Server, inputs: object, **more: object) -> Answer:
    return server.ask("POST", INFER, {"inputs": inputs, **more})


def outputs(answer: Answer) -> dict[str, Any]:
    return {one["name"]: one["data"] for one in answer.json["outputs"]}


def test_tensors_get_the_answers_that_rows_get(server: Server) -> None:
    plain = server.predict({"rows": [ROW, OTHER]}).json["predictions"]

    answer = infer(server, tensors(ROW, OTHER), id="42")

    assert answer.json["id"] == "42"
    assert (answer.json["model_name"], answer.json["model_version"]) == ("churn", "1")
    assert outputs(answer)["predicted_churned"] == [one["prediction"] for one in plain]
    flat = [p for one in plain for p in one["probabilities"].values()]
    assert outputs(answer)["probabilities"] == flat
    assert answer.json["outputs"][1]["shape"] == [2, 2]


def test_a_matrix_is_answered_where_all_columns_are_numbers(server: Server) -> None:
    rows = [{"age": 41.0, "income": 52.5}, {"age": 3.0, "income": 99.0}]
    plain = [one["prediction"] for one in server.predict({"rows": rows}, name="spend").json["predictions"]]

    for data in ([[41, 52.5], [3, 99]], [41, 52.5, 3, 99]):
        given = {"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": data}]}
        answer = server.ask("POST", "/v2/models/spend/infer", given)
        assert outputs(answer) == {"predicted_spend": plain}


@pytest.mark.parametrize(
    "kind", ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32", "FP64"]
)
def test_numbers_of_every_datatype_are_read(server: Server, kind: str) -> None:
    given = tensors(ROW)
    given[0]["datatype"] = kind

    assert outputs(infer(server, given)) == outputs(infer(server, tensors(ROW)))


def test_binary_tensors_are_read_and_given(server: Server) -> None:
    region = b"north"
    parts = [
        np.array([41], np.int64).tobytes(),
        np.array([52.5]).tobytes(),
        struct.pack("<I", len(region)) + region,
        struct.pack("<I", 10) + b"2021-03-04",
    ]
    inputs = [
        {"name": name, "shape": [1], "datatype": kind, "parameters": {"binary_data_size": len(part)}}
        for (name, kind), part in zip(TYPES.items(), parts, strict=True)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()

    answer = server.ask(
        "POST", INFER, raw=head + b"".join(parts), headers={"Inference-Header-Content-Length": str(len(head))}
    )

    length = int(answer.headers["inference-header-content-length"])
    told, raw = json.loads(answer.body[:length]), answer.body[length:]
    sizes = [one["parameters"]["binary_data_size"] for one in told["outputs"]]
    expected = outputs(infer(server, tensors(ROW)))
    assert sum(sizes) == len(raw)
    assert raw[4 : sizes[0]].decode() == expected["predicted_churned"][0]
    assert np.frombuffer(raw[sizes[0] :]).tolist() == expected["probabilities"]


def test_only_the_outputs_that_are_asked_for_are_given(server: Server) -> None:
    assert list(outputs(infer(server, tensors(ROW), outputs=[{"name": "probabilities"}]))) == ["probabilities"]


def change(place: int, **what: object) -> list[dict[str, Any]]:
    given = tensors(ROW)
    given[place] |= what
    return given


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "inputs"),
        (None, "inputs"),
        (change(0, shape=[2]), "age"),
        (change(0, shape=[-1]), "age"),
        (change(0, shape=[2**63]), "age"),
        (change(0, shape=[2**64]), "elements"),
        (change(0, shape=[10**300] * 20), "elements"),
        (change(0, shape=[]), "age"),
        (change(0, shape=[1, 2], data=[1, 2]), "age"),
        (change(0, shape=[1, 1], data=[[1], [2]]), "age"),
        (change(0, shape=[2, 1], data=[[1], [2, 3]]), "age"),
        (change(0, shape=[1], data=[[[1]]]), "age"),
        (change(0, datatype="INT9"), "age"),
        (change(0, datatype="INT8", data=[300]), "age"),
        (change(0, datatype="BOOL", data=[1]), "age"),
        (change(0, data=["x"]), "age"),
        (change(0, datatype="FP64", data=[10**400]), "age"),
        (change(0, data=[1.5]), "age"),
        (change(0, data={}), "age"),
        (change(0, data=None), "age"),
        (change(0, parameters={"binary_data_size": 8}), "age"),
        (change(2, data=[7]), "region"),
        (change(2, name="age"), "age"),
        (tensors(ROW)[:3], "since"),
        ([*tensors(ROW)[:3], tensors(ROW, OTHER)[3]], "since"),
        (tensors(), "no rows"),
    ],
)
def test_fault_50_a_malformed_tensor_is_refused_and_named(server: Server, inputs: object, said: str) -> None:
    answer = infer(server, inputs, id="77")

    assert answer.status in (400, 422), answer.body
    assert isinstance(answer.json["error"], str)
    assert said in answer.json["error"]


def test_fault_50_a_tensor_that_no_column_has_is_ignored_as_in_rows(server: Server) -> None:
    extra = [*tensors(ROW), {"name": "other", "shape": [1], "datatype": "FP32", "data": [1]}]

    assert infer(server, extra).status == 200


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        (b"{}", "9999"),
        (b"{}", "-1"),
        (b"{}", "x"),
        (b'{"inputs":[]}trailing', "13"),
        (TEXT + b"\x02\x00\x00\x00\xff\xfe", str(len(TEXT))),
    ],
)
def test_fault_50_binary_bodies_with_false_lengths_are_refused(server: Server, raw: bytes, length: str) -> None:
    answer = server.ask("POST", INFER, raw=raw, headers={"Inference-Header-Content-Length": length})

    assert answer.status == 400
    assert answer.json["code"] == "TM-DATA-BODY"


def test_fault_50_an_id_of_a_megabyte_is_not_given_back(server: Server) -> None:
    answer = infer(server, tensors(ROW), id="x" * 1_000_000)

    assert answer.status == 400
    assert len(answer.body) < 1000


def test_fault_50_another_content_type_is_refused(server: Server) -> None:
    answer = server.ask("POST", INFER, raw=b"<xml/>", headers={"Content-Type": "application/xml"})

    assert (answer.status, answer.json["code"]) == (415, "TM-MEDIA-TYPE")


@pytest.mark.parametrize(
    "path", ["/v2/models/nope", "/v2/models/churn/versions/2", "/v2/models/churn/versions/x", "/v2/models/nope/ready"]
)
def test_fault_51_models_and_versions_that_are_not_there_are_told_as_the_protocol_has_it(
    server: Server, path: str
) -> None:
    answer = server.ask("GET", path)

    assert answer.status == 404
    assert isinstance(answer.json["error"], str)
    assert server.ask("POST", path.removesuffix("/ready") + "/infer", {"inputs": tensors(ROW)}).status == 404


def test_metadata_name_the_tensors_that_infer_takes(server: Server) -> None:
    told = server.ask("GET", "/v2/models/churn/versions/1").json

    assert {one["name"]: one["datatype"] for one in told["inputs"]} == TYPES
    assert told["versions"] == ["1"]
    assert [one["shape"] for one in told["outputs"]] == [[-1], [-1, 2]]


def test_a_triton_client_is_at_home(server: Server) -> None:
    from tritonclient.http import (  # type: ignore[import-untyped]
        InferenceServerClient,
        InferenceServerException,
        InferInput,
        InferRequestedOutput,
    )

    plain = server.predict({"rows": [ROW, OTHER | {"region": ""}]}).json["predictions"]
    client = InferenceServerClient(f"127.0.0.1:{server.port}")
    given = []
    values = {"age": np.array([41, 3]), "income": np.array([52.5, 99.0]), "region": np.array(["north", ""], object)}
    values["since"] = np.array(["2021-03-04", "2020-01-01"], object)
    for name, kind in TYPES.items():
        given.append(InferInput(name, [2], kind))
        given[-1].set_data_from_numpy(values[name], binary_data=name != "since")
    asked = [InferRequestedOutput("predicted_churned", binary_data=False), InferRequestedOutput("probabilities")]

    result = client.infer("churn", given, model_version="1", outputs=asked, request_id="r-1")

    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("churn", "1")
    assert client.get_server_metadata()["name"] == "tidemill"
    assert client.get_model_metadata("churn")["platform"] == "onnx_onnxv1"
    assert {one["name"] for one in client.get_model_repository_index()} == {"churn", "spend"}
    assert result.get_response()["id"] == "r-1"
    assert result.as_numpy("predicted_churned").tolist() == [one["prediction"] for one in plain]
    assert result.as_numpy("probabilities").tolist() == [list(one["probabilities"].values()) for one in plain]
    with pytest.raises(InferenceServerException, match="no deployment nope"):
        client.infer("nope", given)
    client.close()
