"""The state machine of a deployment: whatever happens, one champion, and no way past its rules."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidemill.core.clock import Clock
from tidemill.core.errors import StateError
from tidemill.core.sections import one_deployment
from tidemill.serving import machine
from tidemill.serving.changes import apply_move
from tidemill.serving.machine import FOLLOWS, Move
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.deployments import (
    Deployment,
    add_deployment,
    deployed_versions,
    get_deployment,
)
from tidemill.warehouse.control.models import ModelVersion, add_version

ROLLOUT = one_deployment("churn", {"rollout": {"shares": [0.1, 0.5]}}).rollout
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = Deployment(name="churn", model="churn")
STEADY = replace(EMPTY, champion=1)


def test_the_first_version_is_champion_at_once() -> None:
    move = machine.begin(EMPTY, 1, rollout=ROLLOUT)

    assert (move.after.champion, move.after.challenger, move.after.stage) == (1, None, "idle")
    assert move.states == {1: "champion"}


def test_a_challenger_goes_from_the_shadow_through_each_share_to_champion() -> None:
    state = machine.begin(STEADY, 2, rollout=ROLLOUT).after
    seen = [(state.stage, state.share)]
    while state.challenger is not None:
        state = machine.advance(state, rollout=ROLLOUT).after
        seen.append((state.stage, state.share))

    assert seen == [("shadow", 0.0), ("canary", 0.1), ("canary", 0.5), ("idle", 0.0)]
    assert (state.champion, state.previous) == (2, 1)


def test_without_shadow_a_challenger_begins_with_the_first_share() -> None:
    move = machine.begin(STEADY, 2, rollout=replace(ROLLOUT, shadow_requests=0))

    assert (move.after.stage, move.after.share) == ("canary", 0.1)


def test_a_rollback_quarantines_the_challenger_and_cools_down() -> None:
    trial = machine.begin(STEADY, 2, rollout=ROLLOUT).after

    move = machine.roll_back(trial, now=NOW, cool_down_s=60)

    assert move.states == {2: "rolled_back"}
    assert (move.after.champion, move.after.challenger, move.after.share) == (1, None, 0.0)
    assert move.after.cool_down_until is not None
    assert (move.after.cool_down_until - NOW).total_seconds() == 60


def test_a_rollback_without_a_challenger_brings_the_champion_before_back() -> None:
    move = machine.roll_back(replace(STEADY, champion=2, previous=1), now=NOW, cool_down_s=0)

    assert move.states == {2: "rolled_back", 1: "champion"}
    assert (move.after.champion, move.after.previous) == (1, None)


def test_a_rollback_with_nothing_to_go_back_to_is_refused_with_a_way_out() -> None:
    with pytest.raises(StateError) as caught:
        machine.roll_back(STEADY, now=NOW, cool_down_s=0)

    assert "pause" in caught.value.hint


@pytest.mark.parametrize("move", [machine.promote, lambda it: machine.advance(it, rollout=ROLLOUT)])
def test_without_a_challenger_nothing_can_be_promoted(move: object) -> None:
    with pytest.raises(StateError, match="on trial"):
        move(STEADY)  # type: ignore[operator]


def test_a_new_challenger_retires_the_one_it_finds() -> None:
    trial = machine.begin(STEADY, 2, rollout=ROLLOUT).after

    assert machine.begin(trial, 3, rollout=ROLLOUT).states == {2: "retired", 3: "shadow"}


class Deployments(RuleBasedStateMachine):
    """Any sequence of commands and of automatic moves, written to a real control database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.db = open_database(sqlite_url(Path(self.folder.name) / "c.sqlite"), clock=Clock())
        for number in range(1, 6):
            add_version(self.db, _version(number))
        with self.db.write() as tx:
            add_deployment(tx, "churn", "churn")
        self.changes = 0

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()

    def move(self, make: object) -> None:
        def choose(now: Deployment, _: object) -> Move:
            return make(now)  # type: ignore[operator, no-any-return]

        with suppress(StateError):
            apply_move(self.db, "churn", choose, who="test")
            self.changes += 1

    @rule(version=st.integers(1, 5))
    def deploy(self, version: int) -> None:
        now = get_deployment(self.db, "churn")
        if version in (now.champion, now.challenger):
            return
        self.move(lambda it: Move(action="deploy", after=it, states={version: "candidate"}))
        self.move(lambda it: machine.begin(it, version, rollout=ROLLOUT))

    @rule()
    def advance(self) -> None:
        self.move(lambda it: machine.advance(it, rollout=ROLLOUT))

    @rule()
    def promote(self) -> None:
        self.move(machine.promote)

    @rule()
    def roll_back(self) -> None:
        self.move(lambda it: machine.roll_back(it, now=NOW, cool_down_s=0))

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.move(lambda it: machine.hold(it, held=held))

    @invariant()
    def one_champion_and_it_is_the_one_named(self) -> None:
        now = get_deployment(self.db, "churn")
        states = {version: row.state for version, row in deployed_versions(self.db, "churn").items()}
        champions = [version for version, state in states.items() if state == "champion"]
        assert champions == ([] if now.champion is None else [now.champion])
        assert now.challenger is None or states[now.challenger] in ("shadow", "canary")
        assert now.challenger is None or now.challenger != now.champion
        assert (now.share > 0) == (now.stage == "canary")
        assert set(states.values()) <= set(FOLLOWS)

    @invariant()
    def every_change_is_in_the_trail(self) -> None:
        rows = audit.rows(self.db)
        assert audit.verify(self.db) == []
        assert len(rows) == self.changes == get_deployment(self.db, "churn").generation

    @precondition(lambda self: get_deployment(self.db, "churn").previous is not None)
    @invariant()
    def the_version_to_go_back_to_was_champion(self) -> None:
        now = get_deployment(self.db, "churn")
        assert now.previous != now.champion
        assert now.previous is not None
        assert deployed_versions(self.db, "churn")[now.previous].state != "rolled_back"


TestDeployments = Deployments.TestCase
TestDeployments.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


def test_two_who_change_the_same_state_get_one_change(tmp_path: Path) -> None:
    with closing(open_database(sqlite_url(tmp_path / "c.sqlite"), clock=Clock())) as db:
        for number in (1, 2):
            add_version(db, _version(number))
        with db.write() as tx:
            add_deployment(tx, "churn", "churn")
        apply_move(db, "churn", lambda it, _: Move(action="deploy", after=it, states={1: "candidate"}), who="a")
        seen = get_deployment(db, "churn")

        def once(now: Deployment, _: object) -> Move | None:
            return machine.begin(now, 1, rollout=ROLLOUT) if now.generation == seen.generation else None

        assert apply_move(db, "churn", once, who="a") is not None
        assert apply_move(db, "churn", once, who="b") is None
        assert [row.who for row in audit.rows(db)] == ["a", "a"]


def _version(number: int) -> ModelVersion:
    return ModelVersion(
        name="churn",
        model_type="LOGISTIC_REG",
        digest=f"{number:064d}",
        fingerprint="f",
        run_id=f"run{number}",
        step="s",
        evaluated_on="evaluation",
        rows_train=1,
        rows_eval=1,
        seconds=0.0,
        files=(),
    )
