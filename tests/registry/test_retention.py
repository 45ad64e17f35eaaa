"""What something refers to is never deleted; the rest goes by policy, and only its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.registry.test_model_versions import blobs, register, trained

from tidemill.core.clock import Clock
from tidemill.core.errors import NotFoundError, StateError
from tidemill.registry import aliases, retention, versions
from tidemill.registry.store import ArtifactStore
from tidemill.warehouse.control import audit, models
from tidemill.warehouse.control.database import Database, open_database, to_json
from tidemill.warehouse.control.deployments import DeployedVersion, add_deployment, save_deployment

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NONE = timedelta(0)


@pytest.fixture
def dated(control_url: str) -> Iterator[Database]:
    """A control database at a fixed time."""
    with closing(open_database(control_url, clock=Clock(now=lambda: NOW))) as opened:
        yield opened


@pytest.fixture
def store(dated: Database, tmp_path: Path) -> ArtifactStore:
    """A store with five versions of a model in it."""
    found = ArtifactStore(tmp_path / "artifacts")
    for number in range(1, 6):
        register(dated, found, trained(f"booster {number}".encode()), run_id=f"r{number}")
    return found


def deploy(db: Database, *, champion: int, previous: int | None = None, answered: tuple[int, ...] = ()) -> None:
    with db.write() as tx:
        before = add_deployment(tx, "shop", "churn")
        states = {number: DeployedVersion(version=number, state="retired") for number in answered}
        states[champion] = DeployedVersion(version=champion, state="champion")
        save_deployment(tx, before, replace(before, champion=champion, previous=previous), states)


def left(db: Database) -> list[int]:
    return [version.version for version in models.list_versions(db, "churn")]


def test_the_newest_stay_and_what_is_referred_to_stays(dated: Database, store: ArtifactStore) -> None:
    deploy(dated, champion=3, previous=2)
    aliases.set_alias(dated, "churn", "audit-2026", 1, who="ada")

    reasons = {one.version.version: one.stays for one in retention.verdicts(dated, "churn", keep=1, older_than=NONE)}
    gone = retention.prune(dated, "churn", keep=1, who="ada")

    assert reasons == {
        5: "it is the current version",
        4: "",
        3: "version 3 is the champion of deployment shop; it answered in deployment shop",
        2: "version 2 is where a rollback of deployment shop goes",
        1: "alias audit-2026 names version 1",
    }
    assert [version.version for version in gone] == [4]
    assert left(dated) == [5, 3, 2, 1]
    with pytest.raises(NotFoundError, match="has no version 4"):
        versions.load(dated, store, "churn", 4)


def test_pruning_is_one_audit_row_a_model(dated: Database, store: ArtifactStore) -> None:
    retention.prune(dated, keep=2, who="ada", why="space")
    retention.prune(dated, keep=2, who="ada", why="space")

    (row,) = audit.rows(dated, object="model churn")

    assert (row.who, row.action, row.why) == ("ada", "prune", "space")
    assert row.evidence["versions"] == [3, 2, 1]


def test_young_versions_stay(dated: Database, store: ArtifactStore) -> None:
    with dated.write() as tx:
        tx.execute("UPDATE model_versions SET created_at = '2026-10-01T00:00:00.000000Z' WHERE version < 3")

    assert [one.version for one in retention.prune(dated, keep=1, older_than=timedelta(days=30), who="ada")] == [2, 1]


def test_versions_that_others_were_trained_from_stay(dated: Database, store: ArtifactStore) -> None:
    with dated.write() as tx:
        tx.execute("UPDATE model_versions SET lineage = :warm WHERE version = 5", warm=to_json({"previous": 2}))
        tx.execute(
            "UPDATE model_versions SET lineage = :read WHERE version = 4", read=to_json({"models": {"churn@best": 1}})
        )

    retention.prune(dated, keep=2, who="ada")

    assert left(dated) == [5, 4, 2, 1]


def test_files_of_a_pruned_version_go_but_not_those_of_one_that_answered(dated: Database, store: ArtifactStore) -> None:
    deploy(dated, champion=5, answered=(1,))
    before = blobs(store)
    with dated.write() as tx:
        models.drop_versions(tx, "churn", [1, 2])

    versions.sweep(dated, store, older_than_s=-1e9)

    assert blobs(store) == before - 1
    assert [version.version for version in models.list_versions(dated, dropped=True)] == [5, 4, 3, 2, 1]


def test_a_deployed_model_is_not_dropped(dated: Database, store: ArtifactStore) -> None:
    deploy(dated, champion=3)

    with pytest.raises(StateError, match="version 3 is the champion of deployment shop") as refused:
        versions.drop_model(dated, "CHURN")
    assert refused.value.facts["references"] == ["version 3 is the champion of deployment shop"]
    assert left(dated) == [5, 4, 3, 2, 1]


def test_a_model_with_an_alias_is_dropped_once_the_alias_is_gone(dated: Database, store: ArtifactStore) -> None:
    aliases.set_alias(dated, "churn", "champion", 2, who="ada")

    with pytest.raises(StateError, match="alias champion names version 2") as refused:
        versions.drop_model(dated, "churn")
    assert refused.value.hint.endswith("tidemill models churn --remove-alias champion")
    aliases.remove_alias(dated, "churn", "champion", who="ada")

    assert versions.drop_model(dated, "churn")
    assert left(dated) == []
