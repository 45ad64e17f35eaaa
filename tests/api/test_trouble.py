"""Versions that fail, logs that cannot be written, servers with too much to do (reliability faults 19, 48, 53, 55)."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.api.conftest import ROW, Server, Start, control, copy, put_in_place, records, until
from tests.api.wire import connected, post

from tidemill.project import open_project
from tidemill.serving.changes import apply_move
from tidemill.serving.machine import stop
from tidemill.warehouse.control.troubles import save_troubles

BODY = {"rows": [ROW]}
SPEND = {"rows": [{"age": 1.0, "income": 2.0}]}


def halt(root: Path, name: str, *, stopped: bool = True) -> None:
    with control(root) as db:
        apply_move(db, name, lambda now, _: stop(now, stopped=stopped), who="test")


def test_a_stopped_deployment_answers_with_its_fallback_and_says_so(start: Start) -> None:
    server = start()
    halt(server.root, "spend")
    until(lambda: "x-tidemill-fallback" in server.predict(SPEND, name="spend").headers)

    answer = server.predict({"rows": SPEND["rows"] * 2}, name="spend")

    assert answer.status == 200
    assert [one["prediction"] for one in answer.json["predictions"]] == [12.5, 12.5]
    assert answer.json["version"] is None
    kept = [one for one in records(server.root) if one.route == "fallback"]
    assert kept[-1].predictions == [12.5, 12.5]


def test_a_stopped_deployment_without_a_fallback_is_not_available(start: Start) -> None:
    server = start()
    halt(server.root, "churn")
    until(lambda: server.predict(BODY).status == 503)

    answer = server.predict(BODY)

    assert answer.headers["retry-after"] == "1"
    assert answer.json["error"]["code"] == "TM-UNAVAILABLE"
    assert server.predict({"rows": [{}]}).status == 422
    assert server.ask("GET", "/readyz").status == 200


def test_a_stopped_deployment_answers_with_no_version_that_a_client_names_either(start: Start) -> None:
    server = start()
    spend, churn = "/v2/models/spend/versions/1", "/v2/models/churn/versions/1"
    tensors = {"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [2.0]} for name in SPEND["rows"][0]]}
    assert server.ask("GET", f"{churn}/ready").status == 200
    halt(server.root, "spend")
    halt(server.root, "churn")

    until(lambda: "x-tidemill-fallback" in server.ask("POST", f"{spend}/infer", tensors).headers)
    until(lambda: server.ask("GET", f"{churn}/ready").status == 503)
    assert server.ask("GET", f"{spend}/ready").status == 200


def test_fault_22_damaged_files_are_not_loaded_and_the_fallback_answers(
    trained: Path, tmp_path: Path, start: Start
) -> None:
    root = copy(trained, tmp_path / "project")
    for file in (root / ".tidemill" / "artifacts" / "sha256").glob("??/*"):
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1] + b"\x00")

    server = start(root=root)

    answer = server.predict({"rows": SPEND["rows"] * 3}, name="spend")
    assert [one["prediction"] for one in answer.json["predictions"]] == [12.5] * 3
    assert server.predict({"columns": {"age": [1.0, 2.0], "income": [1.0, 2.0]}}, name="spend").status == 200
    assert server.predict({"rows": 7}, name="spend").status == 400
    assert server.predict(BODY).status == 503
    assert server.ask("GET", "/readyz").status == 503
    assert server.ask("GET", "/livez").status == 200
    assert "is not what was written" in server.ask("GET", "/healthz").json["problems"]["deployment churn"]
    assert server.ask("GET", "/v2/models/churn/ready").status == 503
    assert server.ask("GET", "/openapi.json").status == 200


def test_fault_19_without_its_database_it_answers_on_and_says_that_it_is_degraded(start: Start) -> None:
    server = start()
    file = server.root / ".tidemill" / "control.sqlite"
    file.rename(file.with_suffix(".away"))
    until(lambda: server.ask("GET", "/readyz").json["status"] == "degraded")

    assert server.predict(BODY).status == 200
    assert "control database" in server.ask("GET", "/healthz").json["problems"]

    file.with_suffix(".away").rename(file)
    until(lambda: server.ask("GET", "/readyz").json["status"] == "ready")


def test_what_another_part_cannot_do_is_among_the_problems_until_it_is_done(start: Start) -> None:
    server = start()
    with control(server.root) as db:
        save_troubles(db, "monitor", {"churn": "the lake is damaged"})
    until(lambda: server.ask("GET", "/readyz").json["status"] == "degraded")

    assert server.ask("GET", "/healthz").json["problems"] == {"monitor: churn": "the lake is damaged"}

    with control(server.root) as db:
        save_troubles(db, "monitor", {})
    until(lambda: server.ask("GET", "/readyz").json["status"] == "ready")


def test_fault_48_requests_in_work_end_while_a_deployment_is_taken_away(start: Start) -> None:
    server = start()
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(server.predict({"rows": [ROW] * 6000}).status)) for _ in range(3)
    ]
    for one in threads:
        one.start()
    with control(server.root) as db, db.write() as tx:
        for table in ("deployment_versions", "deployments"):
            tx.execute(f"DELETE FROM {table} WHERE deployment_key = 'churn'")
    for one in threads:
        one.join()

    until(lambda: server.predict(BODY).status == 404)
    assert set(found) <= {200, 404}


def test_a_log_that_cannot_be_written_is_seen_and_answers_go_on(start: Start) -> None:
    server = start(TIDEMILL_FAULT="log.before_write:enospc")

    answers = [server.predict(BODY).status for _ in range(3)]

    assert answers == [200, 200, 200]
    assert server.ask("GET", "/readyz").json == {"status": "degraded"}
    assert server.ask("GET", "/healthz").json["log"]["failures"] == 1
    assert "tidemill_log_failures_total 1.0" in server.ask("GET", "/metrics").body.decode()
    assert len(records(server.root)) == 2


def test_a_durable_log_that_cannot_be_written_refuses_the_request(start: Start) -> None:
    server = start(churn='log = "durable"', TIDEMILL_FAULT="log.before_write:enospc")

    first, second = server.predict(BODY), server.predict(BODY)

    assert (first.status, second.status) == (503, 200)
    assert first.headers["retry-after"] == "1"
    assert len(records(server.root)) == 1


def test_a_durable_log_whose_sync_fails_refuses_the_request(start: Start) -> None:
    server = start(churn='log = "durable"', TIDEMILL_FAULT="log.before_sync:error")

    assert [server.predict(BODY).status for _ in range(2)] == [503, 200]


def test_labels_that_cannot_be_kept_are_not_taken(start: Start) -> None:
    server = start(TIDEMILL_FAULT="log.before_write:enospc")
    body = {"labels": [{"id": "a", "label": "yes"}]}

    assert [server.ask("POST", "/models/churn/labels", body).status for _ in range(2)] == [503, 202]


def test_columns_can_be_left_out_of_the_log_or_hashed(start: Start) -> None:
    server = start(churn='hash_columns = ["region", "customer"]\nomit_columns = ["income"]')
    server.predict({"rows": [ROW | {"customer": "A-7"}]})

    (kept,) = records(server.root)

    assert b"north" not in kept.inputs
    assert b"52.5" not in kept.inputs
    assert b'"age":41' in kept.inputs.replace(b" ", b"")
    assert kept.keys[0].startswith("hmac:")


def test_columns_are_hashed_beside_a_row_that_could_not_be_read(start: Start) -> None:
    server = start(churn='hash_columns = ["region"]')
    answer = server.predict({"rows": [ROW | {"age": "old"}, ROW]}, query="?on_error=null")

    (kept,) = records(server.root)

    assert answer.status == 200
    assert kept.inputs.startswith(b'{"rows":[null,{')
    assert b"north" not in kept.inputs


def test_fault_53_a_thousand_at_once_are_answered_or_told_to_come_again(start: Start) -> None:
    server = start(server="queue = 32")
    found: Counter[int] = Counter()
    waits: list[float] = []
    large = json.dumps({"rows": [ROW] * 4000}).encode()
    lock = threading.Lock()

    def ask(body: bytes) -> None:
        began = time.monotonic()
        try:
            answer = server.predict(None, raw=body, timeout=60)
        except (OSError, http.client.HTTPException):
            with lock:
                found[0] += 1
            return
        with lock:
            found[answer.status] += 1
            waits.append(time.monotonic() - began)
            assert answer.status == 200 or answer.headers["retry-after"]

    def client() -> None:
        for i in range(10):
            ask(large if i % 2 else json.dumps(BODY).encode())

    threads = [threading.Thread(target=client) for _ in range(100)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert set(found) <= {200, 429, 503, 504}, found
    assert found[429] > 0
    assert found[200] > 0
    assert server.predict(BODY).status == 200


def test_probes_are_answered_however_many_wait(start: Start) -> None:
    server = start(server="queue = 1")
    asking = [threading.Thread(target=lambda: server.predict({"rows": [ROW] * 9000})) for _ in range(4)]
    for one in asking:
        one.start()
    statuses = {server.ask("GET", path).status for path in ("/livez", "/readyz", "/v2/health/live") for _ in range(3)}
    for one in asking:
        one.join()

    assert statuses == {200}


def test_fault_55_what_came_too_late_is_not_answered_and_not_logged(start: Start) -> None:
    server = start(server="queue = 1000")
    large = {"rows": [ROW] * 9000}
    found: list[tuple[int, str]] = []

    def ask() -> None:
        answer = server.predict(large, headers={"X-Request-Timeout-Ms": "1"})
        found.append((answer.status, answer.json.get("error", {}).get("code", "")))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert set(found) == {(504, "TM-DEADLINE")}
    assert records(server.root) == []


def test_fault_55_for_a_client_that_left_nothing_is_logged(start: Start) -> None:
    server = start()
    body = json.dumps({"rows": [ROW] * 9000}).encode()
    with connected(server) as connection:
        connection.sendall(post("/models/churn/predict", body[: len(body) // 2], length=len(body)))

    assert server.predict(BODY).status == 200
    assert [one.n for one in records(server.root)] == [1]


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "9999999", ""])
def test_a_deadline_that_is_none_is_refused(server: Server, value: str) -> None:
    assert server.predict(BODY, headers={"X-Request-Timeout-Ms": value}).status == 400


def test_the_champion_answers_where_the_challenger_cannot(trained: Path, tmp_path: Path, start: Start) -> None:
    root = copy(trained, tmp_path / "project")
    file = root / "sql" / "models.sql"
    # The second version wants a column that no client sends.
    file.write_text(file.read_text().replace("SELECT age, income, region,", "SELECT age, age * 2 AS tenure, region,"))
    with open_project(root) as project:
        assert project.run(["churn"]).status == "ok"
        put_in_place(project.db, "churn", version=2, shares=[0.5])
    server = start(root=root)

    answers = [server.predict({"rows": [ROW | {"customer": f"c{i}"}]}) for i in range(40)]

    assert {(one.status, one.json["version"]) for one in answers} == {(200, 1)}
    assert server.ask("GET", "/models/churn").json["challenger"] == 2
    assert {one.route for one in records(root)} == {"champion"}
    both = [server.predict({"rows": [ROW | {"tenure": 82, "customer": f"c{i}"}]}).json["version"] for i in range(40)]
    assert set(both) == {1, 2}
    again = [server.predict({"rows": [ROW | {"tenure": 82, "customer": f"c{i}"}]}).json["version"] for i in range(40)]
    assert again == both


def test_the_documentation_shows_hostile_names_as_text(start: Start) -> None:
    name = "<script>alert(1)</script>"
    server = start()
    with control(server.root) as db:
        put_in_place(db, name, model="churn")
    until(lambda: name in {one["name"] for one in server.ask("GET", "/models").json["models"]})

    page = server.ask("GET", "/docs")

    assert b"<script" not in page.body
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["x-content-type-options"] == "nosniff"


def test_an_error_tells_no_path_and_no_stack(guarded: tuple[Server, dict[str, str]]) -> None:
    server, tokens = guarded
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    for raw in (b"{", b'{"rows":[{}]}', b'{"rows":[{"age":"x","income":1,"region":"a","since":null}]}'):
        told = server.predict(None, raw=raw, headers=headers).body
        assert str(server.root).encode() not in told
        assert b"Traceback" not in told
        assert b"site-packages" not in told


def test_metrics_name_no_subject(start: Start) -> None:
    server = start()
    server.predict({"rows": [ROW | {"customer": "A-7"}]}, headers={"X-Request-Id": "A-7"})
    server.ask("GET", "/models/A-7")

    told = server.ask("GET", "/metrics").body.decode()

    assert "A-7" not in told
    assert 'tidemill_predictions_total{deployment="churn",route="champion",version="1"} 1.0' in told
    assert 'tidemill_rollout_share{deployment="churn",version="1"} 1.0' in told
    assert "tidemill_request_seconds_bucket" in told
    assert "process_resident_memory_bytes" in told


def test_the_server_listens_where_it_was_told_and_nowhere_else(server: Server) -> None:
    import socket

    port = f"{server.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A" and line.split()[1].endswith(f":{port}")]
    assert listening == [f"{socket.inet_aton('127.0.0.1')[::-1].hex().upper()}:{port}"]


def test_settings_that_are_broken_while_it_runs_are_a_problem_and_no_outage(start: Start) -> None:
    server = start()
    file = server.root / "tidemill.toml"
    good = file.read_text()

    file.write_text(f"{good}\n[servr]\n")
    until(lambda: "settings" in server.ask("GET", "/healthz").json["problems"])

    told = server.ask("GET", "/healthz")
    line = good.count("\n") + 2
    assert told.status == 200
    assert told.json["status"] == "degraded"
    assert told.json["problems"]["settings"] == (
        f"unknown setting servr (tidemill.toml:{line}:2); the settings as they were are kept"
    )
    assert server.predict(BODY).status == 200
    file.write_text(good)
    until(lambda: server.ask("GET", "/healthz").json["problems"] == {})
