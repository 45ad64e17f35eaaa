"""Fixtures: one trained project a session, and real server processes on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tidemill.core.clock import Clock
from tidemill.core.sections import one_deployment
from tidemill.project import open_project
from tidemill.serving.changes import apply_move
from tidemill.serving.log.records import decode
from tidemill.serving.log.spool import read_segment, segments
from tidemill.serving.machine import Move, begin
from tidemill.warehouse.control.database import Database, open_database, sqlite_url
from tidemill.warehouse.control.deployments import add_deployment, find_deployment
from tidemill.warehouse.control.tokens import create_token

SQL = """
CREATE TABLE people AS
SELECT range AS id, range % 83 AS age, round((range * 7919 % 1000) / 10.0, 1) AS income,
       ['north', 'south', 'east', NULL][1 + range % 4] AS region,
       DATE '2020-01-01' + CAST(range % 700 AS INTEGER) AS since,
       CASE WHEN (range * 31 % 97) + range % 83 > 80 THEN 'yes' ELSE 'no' END AS churned,
       range % 83 * 2.5 + range % 7 AS spend
FROM range(1200);

CREATE MODEL churn OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['churned'], max_iterations = 5) AS
SELECT age, income, region, since, churned FROM people;

CREATE MODEL spend OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['spend']) AS
SELECT CAST(age AS DOUBLE) AS age, income, spend FROM people;
"""

ROW: dict[str, Any] = {"age": 41, "income": 52.5, "region": "north", "since": "2021-03-04"}
OTHER: dict[str, Any] = {"age": 3, "income": 99.0, "region": None, "since": "2020-01-01"}

SETTINGS = """
[server]
{server}

[deployments.churn]
key = "{key}"
{churn}

[deployments.spend]
fallback = 12.5
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two models, trained once; tests copy it."""
    root = tmp_path_factory.mktemp("api") / "shop"
    root.mkdir()
    (root / "tidemill.toml").write_text(SETTINGS.format(server="", key="customer", churn=""), encoding="utf-8")
    (root / "sql").mkdir()
    (root / "sql" / "models.sql").write_text(SQL, encoding="utf-8")
    with open_project(root) as project:
        report = project.run()
        assert report.status == "ok", report
        for name in ("churn", "spend"):
            put_in_place(project.db, name)
    return root


def put_in_place(
    db: Database, name: str, *, version: int = 1, model: str = "", shares: Sequence[float] = (), shadow: int = 0
) -> None:
    """Deploy a version without asking its gates."""
    rollout = {"shadow_requests": shadow, "shares": list(shares)}
    settings = one_deployment(name, {"model": model or name, "rollout": rollout})
    with db.write() as tx:
        if find_deployment(tx, name) is None:
            add_deployment(tx, name, settings.model)
        apply_move(tx, name, lambda now, _: Move(action="deploy", after=now, states={version: "candidate"}), who="test")
        apply_move(tx, name, lambda now, _: begin(now, version, rollout=settings.rollout), who="test")


def control(root: Path) -> contextlib.closing[Database]:
    """The control database of a project."""
    return contextlib.closing(open_database(sqlite_url(root / ".tidemill" / "control.sqlite"), clock=Clock()))


def token(root: Path, role: str, *, name: str = "", days: float | None = None) -> str:
    """A token of a role."""
    with control(root) as db:
        return create_token(db, name or f"{role}-token", role, who="test", days=days)


def records(root: Path) -> list[Any]:
    """Everything in the prediction log that was not collected."""
    folder = root / ".tidemill" / "spool"
    chunks = [read_segment(folder / name, 0, 1 << 30) for name in segments(folder)]
    return [decode(payload) for chunk in chunks for payload in chunk.payloads]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A running `tidemill serve`."""

    root: Path
    process: subprocess.Popen[str]
    address: str
    pids: list[int]
    said: dict[str, Any]
    tokens: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        timeout: float = 20,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        try:
            connection.request(method, path, body=data, headers=sent | (headers or {}))
            response = connection.getresponse()
            found = response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, found)
        finally:
            connection.close()

    def predict(self, body: Any, *, name: str = "churn", query: str = "", **more: Any) -> Answer:
        return self.ask("POST", f"/models/{name}/predict{query}", body, **more)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def start_server(root: Path, *arguments: str, environment: dict[str, str] | None = None) -> Server:
    """Start a server on a free port, and wait until it says that it is ready."""
    command = [sys.executable, "-m", "tidemill.cli.main", "serve", "--json", "--no-collect", "--project", str(root)]
    command += [] if "--port" in arguments else ["--port", "0"]
    with (root / "server.err").open("w") as errors:
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | (environment or {}),
        )
    assert process.stdout is not None
    tokens = []
    for line in process.stdout:
        told = json.loads(line)
        if "token" in told:
            tokens.append(told["token"]["token"])
        else:
            ready = told["ready"]
            return Server(root, process, ready["address"], ready["pids"], ready, tokens)
    process.stdout.close()
    process.wait()
    raise AssertionError((root / "server.err").read_text())


Start = Callable[..., Server]


@pytest.fixture
def start(trained: Path, tmp_path: Path) -> Iterator[Start]:
    """Start servers of copies of the project; all end with the test."""
    begun: list[Server] = []

    def call(
        *arguments: str,
        server: str = "",
        churn: str = "",
        key: str = "customer",
        root: Path | None = None,
        **environment: str,
    ) -> Server:
        if root is None:
            root = copy(trained, tmp_path / f"project{len(begun)}", server=server, churn=churn, key=key)
        begun.append(start_server(root, *arguments, environment=environment))
        return begun[-1]

    yield call
    for one in begun:
        finish(one)


def copy(trained: Path, root: Path, *, server: str = "", churn: str = "", key: str = "customer") -> Path:
    """A project of its own for a test."""
    shutil.copytree(trained, root)
    lines = server if "settle_seconds" in server else f"settle_seconds = 0\n{server}"
    (root / "tidemill.toml").write_text(SETTINGS.format(server=lines, churn=churn, key=key), encoding="utf-8")
    return root


def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Ask until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def finish(server: Server) -> None:
    """End a server, however it stands."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=30)
    if server.process.stdout is not None:
        server.process.stdout.close()


@pytest.fixture(scope="session")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for no token, for all tests that only ask."""
    root = copy(trained, tmp_path_factory.mktemp("served") / "shop")
    running = start_server(root)
    yield running
    finish(running)


@pytest.fixture(scope="session")
def guarded(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server that asks for tokens, and a token of each role."""
    root = copy(trained, tmp_path_factory.mktemp("guarded") / "shop", server='auth = "always"')
    tokens = {role: token(root, role) for role in ("read", "predict", "label", "deploy", "admin")}
    running = start_server(root)
    yield running, tokens
    finish(running)
