"""Schemathesis against our OpenAPI, and against the Open Inference Protocol's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.api.conftest import ROW, Server

PROTOCOL = Path(__file__).parent / "protocol" / "open_inference_rest.yaml"
BODIES_BEYOND_A_SCHEMA = "positive_data_acceptance,negative_data_rejection"
"""Where the schema is the protocol's, it does not say which columns a model takes."""


BEYOND_ANY_SCHEMA = """
[[operations]]
include-path-regex = "/predict$"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 429, "5xx"]
[[operations]]
include-path-regex = "/labels$"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, "5xx"]
"""
"""No schema can say that all columns hold as many values as one another, so 400 is a right answer; nor that a time of a
label has come, so 422 is one."""


def check(schema: str, folder: Path, *arguments: str) -> None:
    """Run schemathesis with one seed; what it finds is the failure's text."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", schema, "--no-color", "--seed", "1"]
    command += ["--workers", "1", "--checks", "all", "--generation-database", "none", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "arguments",
    [
        "--phases examples,coverage --exclude-path-regex ^/v2|^/invocations",
        # Whole numbers that a float holds exactly are taken beyond the bounds that the schema names.
        "--phases fuzzing --exclude-path-regex ^/v2|^/invocations --exclude-checks negative_data_rejection -n 40",
        f"--include-path-regex ^/v2|^/invocations --exclude-checks {BODIES_BEYOND_A_SCHEMA} -n 15",
    ],
    ids=["plain by its edges", "plain at random", "tensors and MLflow"],
)
def test_schemathesis_finds_nothing_against_our_openapi(server: Server, tmp_path: Path, arguments: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(BEYOND_ANY_SCHEMA, encoding="utf-8")

    check(f"{server.address}/openapi.json", tmp_path, *arguments.split())


def test_schemathesis_finds_nothing_against_the_protocols_own_document(server: Server, tmp_path: Path) -> None:
    # The published paths have a $ before their parameters; nothing else is changed.
    text = PROTOCOL.read_text(encoding="utf-8").replace("${MODEL", "{MODEL")
    (tmp_path / "protocol.yaml").write_text(text, encoding="utf-8")
    lines = ["[parameters]", '"path.MODEL_NAME" = "churn"', '"path.MODEL_VERSION" = "1"', ""]
    (tmp_path / "schemathesis.toml").write_text("\n".join(lines), encoding="utf-8")

    check(
        "protocol.yaml",
        tmp_path,
        *("--url", server.address, "--exclude-checks", BODIES_BEYOND_A_SCHEMA, "--max-examples", "30"),
    )


def test_the_examples_of_the_document_are_real_rows_that_work(server: Server) -> None:
    told = server.ask("GET", "/openapi.json").json
    paths = told["paths"]
    tried = 0
    for path, methods in paths.items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            answer = server.ask("POST", path, example["value"])
            assert answer.status in (200, 202), (path, name, answer.body)
            tried += 1

    assert tried >= 8
    row = paths["/models/churn/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert set(row["one row"]["value"]["rows"][0]) == set(ROW)


def test_every_route_of_the_table_is_in_the_document(server: Server) -> None:
    from tidemill.api.table import ROUTES

    paths = server.ask("GET", "/openapi.json").json["paths"]

    for route in ROUTES:
        path = route.path.replace("/models/{name}", "/models/churn").replace("{version}", "1")
        assert route.method.lower() in paths.get(path, {}) or path == "/v2/", route
