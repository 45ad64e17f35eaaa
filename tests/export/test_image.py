"""The folder for an image: what the Dockerfile does with it is done here, without a Docker, and the server answers.

The bundle and the package are made read-only and the process loses the right to write there all the same; only the
volume is writable.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tidemill.cli.main import run_command
from tidemill.core.clock import Clock
from tidemill.core.errors import CorruptError, NotFoundError, StateError
from tidemill.export.bundle import find_shipped, write_bundle
from tidemill.export.docker import dockerfile
from tidemill.export.requirements import TREES, entries, requirements_text
from tidemill.export.start import prepare, serve_command
from tidemill.project import Project, open_project
from tidemill.warehouse.control.audit import verify
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.deployments import deployed_versions, get_deployment

GOOD, OTHER = "tm_test", "tm_other"
SQL = """
CREATE TABLE visits AS SELECT i AS id, i % 11 AS pages, i % 11 > 4 AS bought FROM range(600) t(i);
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT pages, bought FROM visits;
"""
SETTINGS = """
name = "shop"
control_url = ""

[server]
settle_seconds = 0
max_rows = 5

[deployments.buyers]
key = "id"
fallback = false

[deployments.secret]
model = "buyers"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("built") / "shop"
    (root / "sql").mkdir(parents=True)
    (root / "tidemill.toml").write_text(SETTINGS)
    (root / "sql" / "all.sql").write_text(SQL)
    with open_project(root) as project:
        assert project.run().status == "ok"
        project.deploy("buyers", override="a test needs no gates", why="test")
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(built, tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    with open_project(root) as opened:
        yield opened


def export(root: Path, folder: Path) -> Path:
    assert run_command(["export", "docker", "buyers", "--output", str(folder), "--project", str(root)]) == 0
    return folder


def without_rights() -> list[str]:
    """Root may write where nothing is writable; this takes that away."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return []
    if setpriv is None:
        pytest.skip("needs setpriv, or not to be root")
    return [setpriv, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


@contextmanager
def container(image: Path, volume: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """What the image's entry point does, with the image's own copy of the package."""
    for path in [image, *image.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    home = volume.with_name("home")
    for folder in (volume, home):
        folder.mkdir(exist_ok=True)
    tokens = volume.parent / "tokens"
    tokens.write_text(f"caller predict {hashlib.sha256(GOOD.encode()).hexdigest()}\n")
    process = subprocess.Popen(
        [*without_rights(), sys.executable, "-m", "tidemill.export.start"],
        cwd=volume,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(image),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            "PORT": "0",
            "TIDEMILL_BUNDLE": str(image / "bundle"),
            "TIDEMILL_STATE": str(volume),
            "TIDEMILL_TOKENS_FILE": str(tokens),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        yield process, json.loads(line)["ready"]
    finally:
        process.terminate()
        process.communicate(timeout=60)
        for path in [image, *image.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def ask(address: str, rows: list[dict[str, Any]], *, token: str = GOOD, host: str = "") -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", int(address.rsplit(":", 1)[1]), timeout=20)
    try:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"} | (
            {"Host": host} if host else {}
        )
        connection.request("POST", "/models/buyers/predict", body=json.dumps({"rows": rows}), headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_image_answers_from_a_read_only_copy_and_ends_on_sigterm(root: Path, tmp_path: Path) -> None:
    image, volume = export(root, tmp_path / "image"), tmp_path / "volume"
    before = sorted(path for path in image.rglob("*"))

    with container(image, volume, TIDEMILL_ALLOW_HOSTS="buyers, buyers.shop.svc") as (process, ready):
        status, answer = ask(ready["address"], [{"pages": 9}, {"pages": 1}])
        assert status == 200
        assert [row["prediction"] for row in answer["predictions"]] == [True, False]
        assert ask(ready["address"], [{"pages": 9}], host="buyers.shop.svc")[0] == 200
        assert ask(ready["address"], [{"pages": 9}], host="evil.example")[0] == 403
        assert ask(ready["address"], [{"pages": 9}], token=OTHER)[0] == 401
        assert ask(ready["address"], [{"pages": 9}] * 6)[0] == 413  # the project's own max_rows
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0

    assert sorted(path for path in image.rglob("*")) == before
    assert {path.name for path in volume.iterdir()} == {"project"}


def test_the_bundle_holds_the_champion_and_nothing_else(project: Project, tmp_path: Path) -> None:
    project.run(["buyers"], full_refresh=True)
    project.create_token("me", "admin")
    write_bundle(project, find_shipped(project, "buyers"), tmp_path / "bundle", who="ada")

    with open_project(tmp_path / "bundle") as shipped:
        assert [(one.name, one.version) for one in shipped.models()] == [("buyers", 1)]
        assert shipped.tokens() == []
        assert list(shipped.settings.deployments) == ["buyers"]
        assert shipped.settings.deployments["buyers"].fallback is False
        assert shipped.settings.server.auth == "always"
        assert get_deployment(shipped.db, "buyers").champion == 1
        assert verify(shipped.db) == []
        assert shipped.verify() == []
        for name, order in (("metrics", "metric"), ("training_info", "iteration")):
            with project.db.read() as ours, shipped.db.read() as theirs:
                sql = f"SELECT * FROM {name} WHERE version = 1 ORDER BY {order}"
                assert theirs.rows(sql) == ours.rows(sql)
    kept = sum(path.is_file() for path in (tmp_path / "bundle" / ".tidemill" / "artifacts").rglob("*"))
    assert kept == len({file.sha256 for file in _files(project, 1)})


def _files(project: Project, version: int) -> tuple[Any, ...]:
    from tidemill.warehouse.control.models import get_version

    return get_version(project.db, "buyers", version).files


def test_a_newer_image_takes_over_an_older_volume_and_its_log_goes_on(root: Path, tmp_path: Path) -> None:
    first, volume = export(root, tmp_path / "first"), tmp_path / "volume"
    with container(first, volume) as (_, ready):
        assert ask(ready["address"], [{"pages": 9}])[1]["version"] == 1
    with open_project(root) as project:
        project.run(["buyers"], full_refresh=True)
        project.deploy("buyers", override="a test needs no gates", why="test")
        project.promote("buyers")
    second = export(root, tmp_path / "second")

    for image, version in ((second, 2), (first, 1), (second, 2)):
        with container(image, volume) as (_, ready):
            assert ask(ready["address"], [{"pages": 9}])[1]["version"] == version

    database = open_database(sqlite_url(volume / "project" / ".tidemill" / "control.sqlite"), clock=Clock())
    try:
        assert verify(database) == []
        states = {number: row.state for number, row in deployed_versions(database, "buyers").items()}
        assert states == {1: "retired", 2: "champion"}
    finally:
        database.close()


def test_an_image_is_not_started_on_the_volume_of_another_project(project: Project, tmp_path: Path) -> None:
    write_bundle(project, find_shipped(project, "buyers"), tmp_path / "bundle", who="ada")
    prepare(tmp_path / "bundle", tmp_path / "volume", clock=Clock())
    with project.db.write() as tx:
        tx.execute("UPDATE model_versions SET digest = :digest", digest="00" * 32)
    write_bundle(project, find_shipped(project, "buyers"), tmp_path / "other", who="ada")

    with pytest.raises(StateError, match="two projects"):
        prepare(tmp_path / "other", tmp_path / "volume", clock=Clock())


def test_a_container_that_died_while_it_made_the_volume_ready_starts_again(project: Project, tmp_path: Path) -> None:
    bundle, volume = tmp_path / "bundle", tmp_path / "volume"
    write_bundle(project, find_shipped(project, "buyers"), bundle, who="ada")
    root = prepare(bundle, volume, clock=Clock())
    (root / "bundle.id").unlink()  # as if it had died just before its last step
    (root / ".tidemill" / "bundle.sqlite").write_bytes(b"half")

    prepare(bundle, volume, clock=Clock())

    with open_project(root) as shipped:
        assert get_deployment(shipped.db, "buyers").champion == 1
        assert shipped.verify() == []


def test_a_damaged_file_is_not_shipped(project: Project, tmp_path: Path) -> None:
    (file, *_) = _files(project, 1)
    path = project.store.path(file.sha256)
    path.chmod(0o644)
    path.write_bytes(b"changed")

    with pytest.raises(CorruptError):
        write_bundle(project, find_shipped(project, "buyers"), tmp_path / "bundle", who="ada")


def test_what_cannot_be_shipped_is_told(project: Project, root: Path, tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(NotFoundError, match="no deployment buyer"):
        find_shipped(project, "buyer")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    for extra in ([], ["--force"]):
        assert run_command(["export", "docker", "buyers", "-o", str(tmp_path / "mine"), *extra]) == 5
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"
    assert run_command(["export", "docker"]) == 2
    assert run_command(["export", "docker", "buyers", "--image", "A b"]) == 2
    (root / "ci.sh").write_text("mine")
    assert run_command(["export", "ci"]) == 5
    assert (root / "ci.sh").read_text() == "mine"
    assert run_command(["export", "ci", "--force"]) == 0
    capsys.readouterr()


def test_exporting_again_replaces_what_was_exported(root: Path, tmp_path: Path) -> None:
    folder = export(root, tmp_path / "image")
    (folder / "bundle" / "left.over").write_text("x")

    assert not (export(root, folder) / "bundle" / "left.over").exists()
    for extra in ([], [], ["--kserve"], ["--kserve"]):
        assert run_command(["export", "kubernetes", "buyers", *extra]) == 0


def test_the_dockerfile_asks_for_a_small_locked_image_without_root(project: Project) -> None:
    text = dockerfile(find_shipped(project, "buyers"))

    assert "--require-hashes" in text
    assert "--only-binary :all:" in text
    assert "USER 10001:10001" in text
    assert 'ENTRYPOINT ["python", "-m", "tidemill.export.start"]' in text  # no shell between: signals arrive
    assert "STOPSIGNAL SIGTERM" in text
    assert "HEALTHCHECK" in text
    base = next(line for line in text.splitlines() if line.startswith("ARG PYTHON_IMAGE="))
    assert base.count(":") == 1
    assert "latest" not in base


def test_requirements_are_locked_by_hashes_and_only_those_of_serving() -> None:
    names = {name for name, _ in entries()}

    assert all("--hash=sha256:" in lines for _, lines in entries())
    assert names.isdisjoint({"pytest", "onnx", "prompt-toolkit", "pandas", "scikit-learn"})
    assert {"duckdb", "onnxruntime", "uvicorn"} <= names
    linear = requirements_text("LOGISTIC_REG")
    assert all(name not in linear for name in TREES)
    assert all(name in requirements_text("BOOSTED_TREE_CLASSIFIER") for name in TREES)


def test_the_serving_lock_is_cut_out_of_the_development_lock() -> None:
    import runpy

    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "lock_serving.py"))
    packaged = Path(script["ROOT"]) / "src" / "tidemill" / "export" / script["LOCK"]
    assert packaged.read_text() == script["serving_lock"](), "run: python scripts/lock_serving.py"


@pytest.mark.parametrize("port", ["eighty", "70000", "-1", "80 "])
def test_a_port_is_a_number(port: str, tmp_path: Path) -> None:
    if port == "80 ":
        assert "80" in serve_command(tmp_path, {"PORT": port})
        return
    with pytest.raises(StateError, match="PORT"):
        serve_command(tmp_path, {"PORT": port})
