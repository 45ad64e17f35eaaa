"""A worker's deployments: loaded beside what answers, swapped as a whole, taken back without the database."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidemill.core.clock import Clock
from tidemill.core.settings import read_settings
from tidemill.project import open_project
from tidemill.serving import machine
from tidemill.serving.changes import apply_move
from tidemill.serving.live import Live
from tidemill.serving.live_deployment import Arm, LiveDeployment
from tidemill.serving.machine import Move
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, open_database, sqlite_url
from tidemill.warehouse.control.deployments import Deployment, add_deployment, deployed_versions, get_deployment
from tidemill.warehouse.control.tokens import create_token, revoke_token

SETTINGS = """
threads = 1
[deployments.buyers]
model = "buyers"
key = "id"
[deployments.buyers.rollout]
shadow_requests = 20
shares = [0.5]
requests_per_share = 50
[deployments.buyers.rollback]
min_requests = 20
"""
ROWS = "SELECT range % 11 AS pages, ['NL', 'DE'][1 + range % 2] AS country, range % 11 > 4 AS bought FROM range(600)"
MODEL = (
    "CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought'], l2_reg = {})"
    f" AS {ROWS}"
)
BODY = b'{"rows": [{"pages": 7, "country": "NL"}]}'


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose model has three versions."""
    root: Path = tmp_path_factory.mktemp("live") / "shop"
    (root / "sql").mkdir(parents=True)
    (root / "tidemill.toml").write_text(SETTINGS)
    with open_project(root) as project:
        for strength in (0, 0.0001, 0.0002):
            project.sql(MODEL.format(strength))
    return root


@dataclass
class Shop:
    """A copy of the project, its control database, and a worker's deployments."""

    root: Path
    db: Database
    live: Live

    @property
    def buyers(self) -> LiveDeployment:
        found = self.live.get("buyers")
        assert found is not None
        return found

    def now(self) -> Deployment:
        return get_deployment(self.db, "buyers")

    def begin(self, version: int) -> None:
        settings = read_settings(self.root, {}).deployments["buyers"]
        self.move(lambda it: Move(action="deploy", after=it, states={version: "candidate"}))
        self.move(lambda it: machine.begin(it, version, rollout=settings.rollout))

    def move(self, make: Callable[[Deployment], Move]) -> None:
        apply_move(self.db, "buyers", lambda it, _: make(it), who="test")

    def answer(self, arm: Arm, *, error: bool = False, seconds: float = 0.001) -> None:
        answers = arm.model.answer(arm.model.rows_of_body(BODY))
        scores = [] if error else answers.scores.tolist()
        self.buyers.observe(arm, seconds=seconds, error=error, scores=scores)


def wait_for(what: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so; a test that waits in vain fails."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def damage(shop: Shop, *, version: int) -> None:
    """Overwrite a file of a version."""
    with open_project(shop.root) as project:
        files = project.model("buyers", version)._loaded.files
        path = project.store.path(files._digests["model.onnx"])  # type: ignore[attr-defined]
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.fixture
def shop(trained: Path, tmp_path: Path) -> Iterator[Shop]:
    root = tmp_path / "shop"
    shutil.copytree(trained, root)
    with closing(open_database(sqlite_url(root / ".tidemill" / "control.sqlite"), clock=Clock())) as db:
        with db.write() as tx:
            add_deployment(tx, "buyers", "buyers")
        live = Live(root / ".tidemill", read_settings(root, {}), clock=Clock())
        made = Shop(root, db, live)
        made.begin(1)
        live.start()
        yield made
        live.stop()


def test_the_champion_answers_every_request(shop: Shop) -> None:
    arm = shop.buyers.choose("anybody")

    assert arm is not None
    assert (arm.model.version, arm.route) == (1, "champion")
    assert arm.model.answer(arm.model.rows_of_body(BODY)).predictions == [True]
    assert shop.live.ready


def test_a_new_champion_is_swapped_in_and_the_old_one_stays_loaded(shop: Shop) -> None:
    shop.begin(2)
    shop.move(machine.promote)

    wait_for(lambda: shop.buyers.champion is not None and shop.buyers.champion.version == 2)
    assert shop.buyers.version(1) is not None
    assert shop.buyers.version(3) is None


def test_a_challenger_goes_through_shadow_and_canary_by_itself(shop: Shop) -> None:
    shop.begin(2)
    wait_for(lambda: shop.buyers.stage == "shadow")
    champion = shop.buyers.choose("x")
    assert champion is not None
    assert champion.route == "champion"
    for number in range(30):
        parsed = champion.model.rows_of_body(BODY)
        shop.buyers.mirror(parsed, champion.model.answer(parsed), request=f"r{number}")
        shop.answer(champion)

    wait_for(lambda: shop.buyers.stage == "canary")
    number = 0
    while shop.now().champion == 1 and number < 5_000:
        arm = shop.buyers.choose(f"customer {number}")
        assert arm is not None
        shop.answer(arm)
        number += 1
        time.sleep(0.001)

    assert shop.now().champion == 2
    assert [row.action for row in audit.rows(shop.db)] == ["deploy", "promote", "deploy", "shadow", "canary", "promote"]
    assert audit.rows(shop.db)[-2].evidence["shadow"]["same_decision"] >= 20


def test_a_challenger_that_fails_is_asked_no_more_before_the_database_knows(shop: Shop) -> None:
    shop.begin(2)
    shop.move(lambda it: machine.advance(it, rollout=read_settings(shop.root, {}).deployments["buyers"].rollout))
    wait_for(lambda: shop.buyers.stage == "canary")
    (shop.root / ".tidemill" / "control.sqlite").rename(shop.root / "gone.sqlite")

    asked = 0
    for number in range(20_000):
        arm = shop.buyers.choose(f"customer {number}")
        assert arm is not None
        shop.answer(arm, error=arm.route == "challenger")
        asked += arm.route == "challenger"
        if shop.buyers.board.killed(shop.buyers.standing.trial):
            break
        time.sleep(0.001)

    assert asked
    later = [shop.buyers.choose(f"later {number}") for number in range(500)]
    assert {arm.route for arm in later if arm is not None} == {"champion"}
    wait_for(lambda: "control database" in " ".join(shop.live.problems.values()))
    (shop.root / "gone.sqlite").rename(shop.root / ".tidemill" / "control.sqlite")
    wait_for(lambda: shop.now().challenger is None)
    assert deployed_versions(shop.db, "buyers")[2].state == "rolled_back"
    wait_for(lambda: not shop.live.problems)


def test_a_held_rollout_does_not_go_on_but_still_goes_back(shop: Shop) -> None:
    shop.begin(2)
    shop.move(lambda it: machine.hold(it, held=True))
    wait_for(lambda: shop.buyers.standing.held)
    champion = shop.buyers.choose("x")
    assert champion is not None
    for number in range(40):
        parsed = champion.model.rows_of_body(BODY)
        shop.buyers.mirror(parsed, champion.model.answer(parsed), request=f"r{number}")
    wait_for(lambda: not shop.buyers.waiting)
    time.sleep(0.5)  # two looks of the watch: nothing may happen in them
    assert shop.now().stage == "shadow"

    trial = shop.buyers.standing.challenger
    assert trial is not None
    for _ in range(400):
        shop.answer(champion)
        shop.answer(trial, error=True)
    wait_for(lambda: shop.now().challenger is None)


def test_a_stopped_deployment_answers_with_nothing_until_it_is_started(shop: Shop) -> None:
    shop.move(lambda it: machine.stop(it, stopped=True))
    wait_for(lambda: shop.buyers.choose("x") is None)
    assert shop.live.ready

    shop.move(lambda it: machine.stop(it, stopped=False))
    wait_for(lambda: shop.buyers.choose("x") is not None)


def test_a_challenger_whose_files_are_damaged_never_answers(shop: Shop) -> None:
    damage(shop, version=2)

    shop.begin(2)

    wait_for(lambda: shop.now().challenger is None)
    assert "digest" in deployed_versions(shop.db, "buyers")[2].reason
    assert shop.buyers.choose("x") is not None


def test_a_damaged_champion_leaves_the_one_that_answers_in_place(shop: Shop) -> None:
    damage(shop, version=2)
    shop.begin(2)
    shop.move(machine.promote)

    wait_for(lambda: shop.live.problems)

    arm = shop.buyers.choose("x")
    assert arm is not None
    assert arm.model.version == 1


def test_a_champion_that_cannot_be_loaded_is_not_held_against_the_challenger(shop: Shop) -> None:
    shop.live.stop()
    damage(shop, version=1)
    shop.begin(2)
    live = Live(shop.root / ".tidemill", read_settings(shop.root, {}), clock=Clock())
    live.start()
    try:
        wait_for(lambda: live.problems)
        time.sleep(0.5)  # several looks of the watch

        assert "version 1" in "".join(live.problems.values())
        assert shop.now().challenger == 2
        assert deployed_versions(shop.db, "buyers")[2].state != "rolled_back"
    finally:
        live.stop()


def test_tokens_are_known_soon_after_they_are_made_and_forgotten_when_revoked(shop: Shop) -> None:
    create_token(shop.db, "shop", "predict", who="ann")
    wait_for(lambda: shop.live.principals)
    (principal,) = shop.live.principals.values()
    assert (principal.name, principal.permissions) == ("shop", frozenset({"read", "predict"}))

    revoke_token(shop.db, "shop", who="ann")
    wait_for(lambda: not shop.live.principals)


def test_an_older_copy_of_the_database_is_not_believed(shop: Shop) -> None:
    path = shop.root / ".tidemill" / "control.sqlite"
    shop.db.backup("old")
    shop.begin(2)
    shop.move(machine.promote)
    wait_for(lambda: shop.buyers.champion is not None and shop.buyers.champion.version == 2)

    older = path.with_name("control.sqlite.old")
    older.replace(path)

    wait_for(lambda: "older copy" in " ".join(shop.live.problems.values()))
    assert shop.buyers.champion is not None
    assert shop.buyers.champion.version == 2
