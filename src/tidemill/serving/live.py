"""All deployments in one worker: a thread watches the control database, loads what was deployed, and judges trials.

Nothing here is on the request path. When the database is locked, damaged or gone, what is loaded goes on answering,
a challenger that does harm is still killed (the board needs no database), and `Live.problems` says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.core.errors import SettingsError, StateError, TidemillError, TransientError
from tidemill.core.sections import one_deployment
from tidemill.core.settings import Settings, read_settings, settings_stamp
from tidemill.registry.store import ArtifactStore
from tidemill.serving.board import Board
from tidemill.serving.live_deployment import Arm, LiveDeployment, Standing
from tidemill.serving.loading import load_version
from tidemill.serving.online.model import OnlineModel
from tidemill.serving.online.transformed import OpenTransform
from tidemill.serving.shadow import Tell, work_off
from tidemill.serving.trail import Trail
from tidemill.serving.trial import Trial
from tidemill.warehouse.control.database import Database, open_database, sqlite_url
from tidemill.warehouse.control.deployments import Deployment, list_deployments
from tidemill.warehouse.control.tokens import ROLES, Token, list_tokens
from tidemill.warehouse.control.troubles import list_troubles

__all__ = ["Arm", "Live", "LiveDeployment", "Principal"]

JUDGE_S = 0.2
"""How often the watching thread looks at the boards; a breach is acted on within this time."""
LOOK_S = 0.4
"""How often it looks at the control database."""
BUSY_S = 1.0
"""How long it waits for somebody who writes to the control database."""
RETRY_S = 5.0
"""How long it waits before it loads a version again that could not be loaded."""

_NO_FILE: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a token stands for."""

    name: str
    role: str
    permissions: frozenset[str]
    expires_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether the token still opens anything."""
        return self.expires_at is None or now < self.expires_at


class Live:
    """What one worker serves.

    Parameters
    ----------
    keep
        The project's ``.tidemill`` folder.
    worker
        The worker's number, from 0: it counts in this block of every board.
    tokens
        Tokens besides those of the database: of a mounted secret.
    transform
        Opens the engine for a TRANSFORM that a graph cannot say.
    """

    def __init__(
        self,
        keep: Path,
        settings: Settings,
        *,
        clock: Clock,
        worker: int = 0,
        tokens: tuple[Token, ...] = (),
        transform: OpenTransform | None = None,
    ) -> None:
        self.keep = keep
        self.settings = settings
        self.clock = clock
        self.worker = worker
        self.principals: Mapping[bytes, Principal] = {}
        self.deployments: Mapping[str, LiveDeployment] = {}
        self.problems: Mapping[str, str] = {}
        self.troubles: Mapping[str, str] = {}
        self.tell_shadow: Tell = _nobody
        self._given = tokens
        self._transform = transform
        self._store = ArtifactStore(keep / "artifacts")
        self._trials: dict[str, Trial] = {}
        self._retry_at: dict[str, float] = {}
        self._edges: dict[str, tuple[float, ...]] = {}
        self._trail = Trail(keep / "serve" / "audit.head")
        self._db: Database | None = None
        self._file = _NO_FILE
        self._stamp = settings_stamp(keep.parent)
        self._wrong: SettingsError | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load what is deployed, then watch.

        Raises
        ------
        TidemillError
            The control database cannot be read: nothing is known of any deployment.
        """
        self.look()
        self._thread = threading.Thread(target=self._watch, name="live", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Take over what the control database says, once."""
        self._look(self._database())

    def turn(self) -> None:
        """Do once what the watching thread does again and again: for those whose clock stands still meanwhile."""
        for one in self.deployments.values():
            while work_off(one, self.tell_shadow):
                pass
        self._judge()
        self.look()

    def stop(self) -> None:
        """End the watching thread; what is loaded stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        if self._db is not None:
            self._db.close()

    def get(self, name: str) -> LiveDeployment | None:
        """A deployment by name."""
        return self.deployments.get(name)

    def names(self) -> list[str]:
        """Every deployment's name."""
        return list(self.deployments)

    @property
    def ready(self) -> bool:
        """Whether every deployment has a version to answer with, or was stopped by somebody."""
        return all(one.champion is not None or one.stopped for one in self.deployments.values())

    def _watch(self) -> None:
        judged = looked = self.clock.monotonic()
        while not self._stop.is_set():
            busy = 0
            for one in self.deployments.values():
                busy += work_off(one, self.tell_shadow)
            now = self.clock.monotonic()
            if now - judged >= JUDGE_S:
                judged = now
                self._step("trials", self._judge)
            if now - looked >= LOOK_S:
                looked = now
                self._step("control database", lambda: self._look(self._database()))
                self._step("settings", self._look_at_settings)
            self._stop.wait(0.0005 if busy else 0.05)

    def _step(self, name: str, work: Callable[[], None]) -> None:
        """Do a part of the watch; what goes wrong is told, and tried again at the next turn."""
        try:
            work()
        except TidemillError as error:
            self.problems = {**self.problems, name: error.message}
        except Exception as error:  # noqa: BLE001 - the boundary of a step: without the watch nothing is taken back
            self.problems = {**self.problems, name: f"{type(error).__name__}: {error}"}
        else:
            if name in self.problems:
                self.problems = {key: text for key, text in self.problems.items() if key != name}

    def _look_at_settings(self) -> None:
        """Say so while the file of settings is wrong: nobody reads it then, and those of the start count.

        Raises
        ------
        SettingsError
            What is wrong, and where.
        """
        stamp = settings_stamp(self.keep.parent)
        if stamp != self._stamp:
            self._stamp = stamp
            self._wrong = None
            try:
                read_settings(self.keep.parent)
            except SettingsError as error:
                self._wrong = error
        if self._wrong is not None:
            raise SettingsError(f"{self._wrong.placed}; the settings as they were are kept")

    def _judge(self) -> None:
        for name, trial in list(self._trials.items()):
            deployment = self.deployments[name]
            trial.look(deployment, self._database)

    def _database(self) -> Database:
        """The control database; never a new one in the place of one that is gone.

        Raises
        ------
        StateError
            Its file is not there.
        """
        if self.settings.control_url:
            url, file = self.settings.control_url, _NO_FILE
        else:
            path = self.keep / "control.sqlite"
            url, file = sqlite_url(path), _identity(path)
        if self._db is None or file != self._file:
            if self._db is not None:
                self._db.close()
                self._db = None  # also when the next line fails: the same file may come back
            self._db, self._file = open_database(url, clock=self.clock, busy_timeout_s=BUSY_S), file
        return self._db

    def _look(self, db: Database) -> None:
        """Take over what changed: tokens, then deployments whose generation grew."""
        self._trail.check(db)
        self.troubles = {one.where: one.said for one in list_troubles(db)}
        now = self.clock.now()
        tokens = [*self._given, *(token for token in list_tokens(db) if token.valid(now))]
        self.principals = {bytes.fromhex(token.sha256): _principal(token) for token in tokens}
        found = {row.name: row for row in list_deployments(db)}
        for name in self.deployments.keys() - found.keys():
            self._forget(name)
        for row in found.values():
            deployment = self.deployments.get(row.name) or self._begin(row)
            if deployment.standing.generation != row.generation or self._retries(deployment):
                self._take(db, deployment, row)
            if row.name in self._trials:
                self._trials[row.name].read_outcomes(db)

    def _retries(self, deployment: LiveDeployment) -> bool:
        """Whether it is time to try again what could not be loaded."""
        if not deployment.standing.problem:
            return False
        return self.clock.monotonic() >= self._retry_at.get(deployment.name, 0.0)

    def _begin(self, row: Deployment) -> LiveDeployment:
        settings = self.settings.deployments.get(row.name) or one_deployment(row.name, {"model": row.model})
        board = Board(self.keep / "serve" / f"{row.name}.board", worker=self.worker)
        made = LiveDeployment(settings, board)
        self.deployments = {**self.deployments, row.name: made}
        return made

    def _forget(self, name: str) -> None:
        self._trials.pop(name, None)
        self.deployments = {other: one for other, one in self.deployments.items() if other != name}

    def _take(self, db: Database, deployment: LiveDeployment, row: Deployment) -> None:
        """Load what is new beside what answers now, then swap."""
        before = deployment.standing
        models, problems = self._load(db, row, before.models)
        champion = self._champion(row, models, before)
        challenger = models.get(row.challenger) if row.challenger is not None else None
        trial = 0
        if challenger is not None and champion is not None and row.stage_since is not None:
            trial = int(row.stage_since.timestamp() * 1e6)
            deployment.board.enter(trial, score_edges=self._edges[champion.digest])
        deployment.standing = Standing(
            generation=row.generation,
            champion=None if champion is None else Arm(champion, "champion", 1.0 - row.share),
            challenger=None if challenger is None else Arm(challenger, "challenger", row.share),
            stage=row.stage if challenger is not None else "idle",
            share=row.share if challenger is not None else 0.0,
            held=row.held,
            stopped=row.stopped,
            trial=trial,
            salt=f"{row.name}:{row.challenger}".encode()[-16:],
            models=models,
            problem="; ".join(problems.values()),
        )
        if row.challenger is None or row.stage_since is None:
            self._trials.pop(row.name, None)
        elif row.name not in self._trials or self._trials[row.name].number != trial:
            # Only what is wrong with the challenger itself speaks against it.
            refused = problems.get(row.challenger, "")
            self._trials[row.name] = Trial(
                row, number=trial, settings=deployment.settings, clock=self.clock, refused=refused
            )
        self._tell_problems(row.name, problems.values())

    def _load(
        self, db: Database, row: Deployment, loaded: Mapping[int, OnlineModel]
    ) -> tuple[dict[int, OnlineModel], dict[int, str]]:
        """The versions that could be loaded, and what is wrong with the others that are needed."""
        models: dict[int, OnlineModel] = {}
        problems: dict[int, str] = {}
        for version in row.versions:
            try:
                models[version] = loaded.get(version) or self._open(db, row.model, version)
            except TransientError:
                raise  # the database is away or busy: that is no fault of the version
            except Exception as error:  # noqa: BLE001 - the boundary of a version: it is refused, the others answer
                if version != row.previous:
                    problems[version] = _told(error, f"{row.model} version {version}")
        self._retry_at[row.name] = self.clock.monotonic() + RETRY_S
        return models, problems

    def _open(self, db: Database, name: str, version: int) -> OnlineModel:
        loaded = load_version(db, self._store, name, version, transform=self._transform)
        self._edges[loaded.model.digest] = loaded.score_edges
        return loaded.model

    def _champion(self, row: Deployment, models: Mapping[int, OnlineModel], before: Standing) -> OnlineModel | None:
        """The champion; when it cannot be loaded, the version that answered until now, else the one before it."""
        if row.champion is None:
            return None
        last = before.champion.model if before.champion is not None else None
        return models.get(row.champion) or last or (models.get(row.previous) if row.previous is not None else None)

    def _tell_problems(self, name: str, problems: Collection[str]) -> None:
        key = f"deployment {name}"
        rest = {other: text for other, text in self.problems.items() if other != key}
        self.problems = {**rest, key: "; ".join(problems)} if problems else rest


def _identity(path: Path) -> tuple[int, ...]:
    """Which file it is, and when it was written to: an open connection reads neither from another file nor again."""
    try:
        found = path.stat()
    except OSError as error:
        raise StateError(
            f"the control database {path} cannot be found: {error.strerror}",
            hint="put it back; what is loaded goes on answering",
        ) from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def _told(error: Exception, version: str) -> str:
    if isinstance(error, TidemillError):
        return error.message
    return f"{version} cannot be loaded: {type(error).__name__}: {error}"


def _principal(token: Token) -> Principal:
    return Principal(name=token.name, role=token.role, permissions=ROLES[token.role], expires_at=token.expires_at)


def _nobody(*_: object) -> None:
    return
