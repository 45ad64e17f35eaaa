"""A rehearsed rollback: a real server on a copy of one deployment, a version that fails, real requests, and a clock.

Nothing here touches the project: the champion is copied into a scratch project, and the version that fails is the
champion with one more column in its contract, which no caller sends: the way a schema change breaks a version.
"""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.clock import Clock
from tidemill.core.errors import InternalError, StateError
from tidemill.core.sections import one_deployment
from tidemill.core.settings import SETTINGS_FILE
from tidemill.export.bundle import find_shipped, write_bundle
from tidemill.export.toml_text import toml_text
from tidemill.registry.store import ArtifactStore
from tidemill.registry.versions import StoredFiles
from tidemill.serving import machine
from tidemill.serving.changes import apply_move
from tidemill.serving.machine import Move
from tidemill.training.artifact import FEATURES, GOLDEN, json_file
from tidemill.training.result import artifact_digest
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, open_database, sqlite_url
from tidemill.warehouse.control.deployments import Deployment, get_deployment
from tidemill.warehouse.control.models import ArtifactFile, ModelVersion, add_version, get_version

if TYPE_CHECKING:
    from tidemill.project import Project

WHO = "tidemill drill"
NEW_COLUMN = "tidemill_drill_column"
MOST_S = 60.0
"""How long a rehearsal waits for what must happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a rehearsal showed.

    Parameters
    ----------
    requests, failed
        Requests that were sent meanwhile, and those that were not answered with 200.
    asked
        Requests that the failing version was asked before it was taken back.
    back_s
        From the first of them to the last answer before the deployment stood as before, in seconds.
    why
        The breach, as the audit trail has it.
    by_hand_s
        From a rollback of the champion by hand to the first answer of the one before, in seconds.
    trail
        What is wrong with the audit trail; empty when it verifies.
    """

    deployment: str
    version: int
    requests: int
    failed: int
    asked: int
    back_s: float
    why: str
    by_hand_s: float
    trail: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the rollback was what users are promised."""
        return self.failed == 0 and self.asked > 0 and not self.trail

    def as_json(self) -> dict[str, Any]:
        """The drill as plain data."""
        return {**asdict(self), "trail": list(self.trail), "passed": self.passed}


def drill(project: Project, name: str) -> Drill:
    """Rehearse a rollback of a deployment.

    Raises
    ------
    NotFoundError
        There is no such deployment.
    StateError
        It has no champion, or the champion keeps no sample rows to send.
    """
    shipped = find_shipped(project, name)
    version = get_version(project.db, shipped.model, shipped.version)
    rows = _sample_rows(StoredFiles(project.store, version))
    with tempfile.TemporaryDirectory(prefix="tidemill-drill-") as scratch:
        root = Path(scratch)
        write_bundle(project, shipped, root, who=WHO)
        (root / SETTINGS_FILE).write_text(_settings(project, shipped.name, shipped.model), encoding="utf-8")
        db = open_database(sqlite_url(root / ".tidemill" / "control.sqlite"), clock=Clock())
        try:
            return _rehearse(root, db, shipped.name, version, rows)
        finally:
            db.close()


def _rehearse(root: Path, db: Database, name: str, version: ModelVersion, rows: list[dict[str, Any]]) -> Drill:
    store = ArtifactStore(root / ".tidemill" / "artifacts")
    bad = _add(db, store, version, _broken(StoredFiles(store, version)))
    good = _add(db, store, version, {})
    settings = one_deployment(name, {"model": version.name, "rollout": {"shadow_requests": 0, "shares": [0.5]}})
    with _server(root) as client:
        client.rows = itertools.cycle(rows)
        client.name = name
        began = time.perf_counter()
        _enter(db, name, bad, lambda it: machine.begin(it, bad, rollout=settings.rollout))
        client.send_until(lambda: get_deployment(db, name).challenger is None)
        back_s = time.perf_counter() - began
        last = audit.rows(db, object=f"deployment {name}")[-1]
        trial = last.evidence.get("challenger", {})

        _enter(db, name, good, lambda it: machine.begin(it, good, rollout=settings.rollout))
        _move(db, name, machine.promote)
        client.send_until(lambda: client.version == good)
        began = time.perf_counter()
        _move(db, name, lambda it: machine.roll_back(it, now=db.clock.now(), cool_down_s=0))
        client.send_until(lambda: client.version == version.version)
        by_hand_s = time.perf_counter() - began
    return Drill(
        deployment=name,
        version=version.version,
        requests=client.requests,
        failed=client.failed,
        asked=int(trial.get("answers", 0)),
        back_s=back_s,
        why=last.why,
        by_hand_s=by_hand_s,
        trail=tuple(audit.verify(db)),
    )


class _Client:
    """Sends sample rows one after the other, and remembers who answered."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self.rows: Iterator[dict[str, Any]] = iter(())
        self.name = ""
        self.requests = self.failed = self.version = 0

    def send_until(self, done: Callable[[], bool]) -> None:
        until = time.perf_counter() + MOST_S
        while True:
            for _ in range(10):
                self._send()
            if done():
                return
            if time.perf_counter() > until:
                raise InternalError(f"the rehearsal did not come to its end within {MOST_S:g} s")

    def _send(self) -> None:
        body = json.dumps({"rows": [next(self.rows)]})
        self._connection.request("POST", f"/models/{self.name}/predict", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        self.requests += 1
        if response.status == http.client.OK:
            self.version = json.loads(text)["version"]
        else:
            self.failed += 1


@contextmanager
def _server(root: Path) -> Iterator[_Client]:
    command = [sys.executable, "-m", "tidemill.cli.main", "serve", "--port", "0", "--json", "--no-collect"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        line = process.stdout.readline()
        if not line:
            told = process.stderr.read() if process.stderr is not None else ""
            raise InternalError(f"the server of the rehearsal did not start: {told.strip()}")
        host, _, port = json.loads(line)["ready"]["address"].removeprefix("http://").rpartition(":")
        with closing(http.client.HTTPConnection(host, int(port), timeout=MOST_S)) as connection:
            yield _Client(connection)
    finally:
        process.terminate()
        process.communicate(timeout=MOST_S)


def _settings(project: Project, name: str, model: str) -> str:
    """The deployment's rules of rolling back, and a rollout that stays at half of the traffic."""
    declared = project.settings.deployments.get(name)
    given = dict(declared.given) if declared is not None else {}
    section = {
        "model": model,
        "rollback": given.get("rollback", {}),
        "rollout": {"shadow_requests": 0, "shares": [0.5], "requests_per_share": 1_000_000_000},
    }
    return toml_text({"name": "drill", "server": {"settle_seconds": 0.0}, "deployments": {name: section}})


def _sample_rows(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Rows that training kept with the version."""
    rows = json.loads(files[GOLDEN])["rows"] if GOLDEN in files else []
    if not rows:
        raise StateError("the champion keeps no sample rows to send", hint="train it again with this Tidemill")
    found: list[dict[str, Any]] = rows
    return found


def _broken(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A contract with one more column."""
    plan = json.loads(files[FEATURES])
    plan["inputs"].append({"name": NEW_COLUMN, "type": "double"})
    return {FEATURES: json_file(plan)}


def _add(db: Database, store: ArtifactStore, version: ModelVersion, changed: Mapping[str, bytes]) -> int:
    """Register the version again with some files changed; sample rows stay behind, since those would refuse it."""
    kept = StoredFiles(store, version)
    files = {name: kept[name] for name in kept if not (changed and name == GOLDEN)} | dict(changed)
    digests = store.put(files)
    listed = tuple(ArtifactFile(name=name, sha256=digests[name], bytes=len(data)) for name, data in files.items())
    made = replace(
        version,
        files=listed,
        digest=artifact_digest(files),
        run_id=db.clock.new_id(),
        version=0,
        created_at=None,
    )
    return add_version(db, made).version


def _enter(db: Database, name: str, version: int, begin: Callable[[Deployment], Move]) -> None:
    _move(db, name, lambda it: Move(action="deploy", after=it, states={version: "candidate"}))
    _move(db, name, begin)


def _move(db: Database, name: str, make: Callable[[Deployment], Move]) -> None:
    apply_move(db, name, lambda it, _: make(it), who=WHO, why="rehearsal")
