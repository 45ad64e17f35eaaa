"""One server a project, workers that come back, and an end that loses nothing (reliability faults 12 and 18)."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.api.conftest import ROW, Server, Start, copy, finish, records, start_server, until

BODY = {"rows": [ROW]}


def serve(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidemill.cli.main", "serve", "--no-collect", "--project", str(root), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_fault_12_a_second_server_of_a_project_names_the_first_and_leaves(start: Start) -> None:
    first = start()

    second = serve(first.root, "--port", "0")

    assert second.returncode == 7
    assert f"process {first.process.pid} on {socket.gethostname()} at {first.address}" in second.stderr
    assert first.predict(BODY).status == 200


def test_after_its_end_however_it_came_another_server_may_start(start: Start) -> None:
    first = start()
    first.process.kill()
    first.process.wait()

    second = start(root=first.root)

    assert second.predict(BODY).status == 200


def test_workers_do_not_outlive_a_supervisor_that_was_killed(start: Start) -> None:
    server = start("--workers", "2")

    server.process.kill()
    server.process.wait()

    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in server.pids))


def test_a_worker_that_dies_is_started_again_and_it_is_said(start: Start) -> None:
    server = start()

    os.kill(server.pids[0], signal.SIGKILL)

    def answers() -> bool:
        try:
            return server.predict(BODY, timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    until(answers)
    assert "SIGKILL" in (server.root / "server.err").read_text()
    assert server.process.poll() is None


def test_what_was_answered_before_kill_9_is_in_the_log(start: Start) -> None:
    server = start()
    ids = [server.predict(BODY).json["predictions"][0]["id"] for _ in range(25)]

    os.kill(server.pids[0], signal.SIGKILL)
    server.process.kill()
    server.process.wait()

    assert [one.id for one in records(server.root)] == ids


def test_the_requests_of_all_workers_are_counted_together(start: Start) -> None:
    server = start("--workers", "3")
    for _ in range(30):
        assert server.predict(BODY).status == 200

    def counted() -> bool:
        lines = server.ask("GET", "/metrics").body.decode().splitlines()
        return 'tidemill_requests_total{code="200",deployment="churn"} 30.0' in lines

    until(counted)


class Load:
    """Clients that ask without a pause while the server says that it is ready."""

    def __init__(self, server: Server, clients: int) -> None:
        self.server = server
        self.failures: list[str] = []
        self.answered = 0
        self.ids: set[str] = set()
        self._on = threading.Event()
        self._on.set()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for one in self._threads:
            one.start()

    def stop(self) -> None:
        self._on.clear()

    def join(self) -> None:
        for one in self._threads:
            one.join()

    def _ask(self) -> None:
        import json

        body = json.dumps(BODY)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        while self._on.is_set():
            try:
                connection.request("POST", "/models/churn/predict", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                told = response.read()
                if response.status != 200:
                    self.failures.append(f"{response.status} {told!r}")
                else:
                    self.ids.add(json.loads(told)["predictions"][0]["id"])
                    self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


def test_fault_18_sigterm_under_load_fails_no_request(start: Start) -> None:
    server = start(server="settle_seconds = 1.5", churn="")
    load = Load(server, 6)
    until(lambda: load.answered > 100)

    server.process.send_signal(signal.SIGTERM)
    until(lambda: server.ask("GET", "/readyz").status == 503)
    before = load.answered
    until(lambda: load.answered > before + 20)  # it goes on answering while it says that it is not ready
    load.stop()
    load.join()

    assert server.process.wait(timeout=30) == 0
    assert load.failures == []
    assert {one.id for one in records(server.root)} == load.ids


def test_fault_18_a_large_request_in_work_is_ended_before_the_server_is(start: Start) -> None:
    server = start()
    found: list[int] = []
    asking = threading.Thread(target=lambda: found.append(server.predict({"rows": [ROW] * 9000}).status))
    asking.start()
    until(lambda: server.ask("GET", "/healthz").json["requests_in_work"] > 1 or found)

    assert server.end() == 0

    asking.join()
    assert found == [200]


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(start: Start, trained: Path, tmp_path: Path) -> None:
    first = start()

    refused = serve(copy(trained, tmp_path / "other"), "--port", str(first.port))

    assert refused.returncode == 2
    assert "in use" in refused.stderr
    assert "--port 0" in refused.stderr


def test_when_no_worker_can_start_it_says_why_and_leaves(trained: Path, tmp_path: Path) -> None:
    root = copy(trained, tmp_path / "project")
    (root / ".tidemill" / "control.sqlite").write_bytes(b"no database" * 1000)

    refused = serve(root, "--port", "0")

    assert refused.returncode != 0
    assert "control.sqlite" in refused.stderr


def test_the_line_it_prints_at_its_start_works(trained: Path, tmp_path: Path) -> None:
    import shlex

    root = copy(trained, tmp_path / "project")
    command = [
        sys.executable,
        "-m",
        "tidemill.cli.main",
        "serve",
        "--no-collect",
        "--port",
        "0",
        "--project",
        str(root),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("serving at http://127.0.0.1:")
        line = process.stdout.readline()
        words = shlex.split(line.removeprefix("try: "))
        told = subprocess.run([words[0], "-s", *words[1:]], capture_output=True, text=True, check=True).stdout
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert '"predictions"' in told
    assert process.returncode == 0


def test_a_project_without_deployments_is_served_and_says_so(tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    (root / "tidemill.toml").write_text("[server]\nsettle_seconds = 0\n", encoding="utf-8")

    server = start_server(root)
    try:
        assert server.said["sample"] is None
        assert server.ask("GET", "/models").json == {"models": []}
        assert server.ask("GET", "/readyz").status == 200
    finally:
        finish(server)


@pytest.mark.parametrize("module", ["duckdb", "pyarrow", "sqlglot", "xgboost", "pandas", "sklearn", "rich", "onnx"])
def test_a_worker_loads_no_engine(server: Server, module: str) -> None:
    assert server.predict(BODY).status == 200

    mapped = Path(f"/proc/{server.pids[0]}/maps").read_text()

    assert f"/site-packages/{module}/" not in mapped


def test_a_worker_imports_none_of_the_heavy_packages() -> None:
    code = "import tidemill.asgi, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"duckdb", "pyarrow", "sqlglot", "xgboost", "pandas", "sklearn", "rich", "onnx"} & set(loaded)
    assert not {"prometheus_client", "opentelemetry", "psycopg"} & set(loaded)
