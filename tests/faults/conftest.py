"""Fixtures: a project with one deployed model, copied for each test, and real servers of the copies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Server, finish, put_in_place, start_server
from tests.erase.world import make_shop, settle

from tidemill.core.clock import Clock
from tidemill.project import open_project
from tidemill.registry.store import ArtifactStore
from tidemill.serving import machine
from tidemill.serving.changes import apply_move
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, open_database, sqlite_url
from tidemill.warehouse.control.deployments import DeployedVersion, Deployment, deployed_versions, get_deployment

SQL = """
CREATE TABLE visits AS
SELECT i AS id, hash(i) % 60 AS pages, hash(i + 1) % 7 AS calls, ['NL', 'DE', 'FR'][1 + i % 3] AS country,
       hash(i + 3) % 100003 AS spend,
       (hash(i + 2) % 100) < 20 + 9 * (hash(i + 1) % 7) - (hash(i) % 60) / 3 AS bought
FROM range(2000) AS r(i);

CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought'], l2_reg = {}) AS
SELECT pages, calls, country, spend, bought FROM visits;
"""

SETTINGS = """
threads = 1
[server]
settle_seconds = 0
[deployments.shop]
model = "buyers"
key = "id"
[deployments.shop.gates]
max_latency_ms = 10000
[deployments.shop.rollout]
shadow_requests = 0
shares = [0.5]
requests_per_share = 60
[deployments.shop.rollback]
min_requests = 20
"""

ROWS: list[dict[str, Any]] = [
    {"id": i, "pages": i * 7 % 60, "calls": i * 5 % 7, "country": ("NL", "DE", "FR")[i % 3], "spend": i * 2_311}
    for i in range(40)
]


@dataclass
class Shop:
    """A project whose model has two versions; the first answers in deployment ``shop``."""

    root: Path
    db: Database

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.root / ".tidemill" / "artifacts")

    @property
    def file(self) -> Path:
        """The control database."""
        return self.root / ".tidemill" / "control.sqlite"

    def now(self) -> Deployment:
        return get_deployment(self.db, "shop")

    def versions(self) -> dict[int, DeployedVersion]:
        return deployed_versions(self.db, "shop")

    def deploy(self, version: int, *, share: float = 0.0) -> None:
        """Let a version in without its gates: for good, or with a share of the traffic."""
        put_in_place(self.db, "shop", version=version, model="buyers", shares=[share] if share else [])

    def roll_back(self) -> None:
        now = self.db.clock.now()
        apply_move(self.db, "shop", lambda it, _: machine.roll_back(it, now=now, cool_down_s=0), who="test")

    def require_whole(self) -> None:
        """Whatever happened: one champion, the same in both tables, in files that verify, and a trail that does."""
        now, versions = self.now(), self.versions()
        champions = [number for number, one in versions.items() if one.state == "champion"]
        assert champions == [now.champion]
        on_trial = {number for number, one in versions.items() if one.state in ("shadow", "canary")}
        assert on_trial == ({now.challenger} if now.challenger is not None else set())
        assert audit.verify(self.db) == []
        with open_project(self.root) as project:
            assert project.verify() == []


def open_control(root: Path) -> Database:
    return open_database(sqlite_url(root / ".tidemill" / "control.sqlite"), clock=Clock())


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, built once; tests copy it."""
    root: Path = tmp_path_factory.mktemp("faults") / "shop"
    (root / "sql").mkdir(parents=True)
    (root / "tidemill.toml").write_text(SETTINGS)
    with open_project(root) as project:
        for strength in (0, 300):
            (root / "sql" / "buyers.sql").write_text(SQL.format(strength))
            assert project.run().status == "ok"
    with closing(open_control(root)) as db:
        put_in_place(db, "shop", version=1, model="buyers")
    return root


@pytest.fixture
def shop(trained: Path, tmp_path: Path) -> Iterator[Shop]:
    root = tmp_path / "shop"
    shutil.copytree(trained, root)
    with closing(open_control(root)) as db:
        yield Shop(root, db)


@pytest.fixture(scope="session")
def with_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that knows people (`tests.erase.world`), whose old files go at once; built once."""
    root: Path = tmp_path_factory.mktemp("people") / "shop"
    make_shop(root)
    settle(root)
    with closing(open_control(root)) as db:
        put_in_place(db, "buyers", version=2)
    return root


@pytest.fixture
def people(with_people: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    root = tmp_path / "people"
    shutil.copytree(with_people, root)
    return root


class Servers:
    """Starts servers; all end with the test."""

    def __init__(self) -> None:
        self.begun: list[Server] = []

    def __call__(self, shop: Shop, *arguments: str, **environment: str) -> Server:
        self.begun.append(start_server(shop.root, *arguments, environment=environment))
        return self.begun[-1]


@pytest.fixture
def serve() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    for one in servers.begun:
        finish(one)
