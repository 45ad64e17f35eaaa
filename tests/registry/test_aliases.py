"""Aliases: what may be one, where they point, and the trail they leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.registry.test_model_versions import register, trained

from tidemill.core.errors import NotFoundError, StateError
from tidemill.registry import aliases, versions
from tidemill.registry.store import ArtifactStore
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.aliases import list_aliases
from tidemill.warehouse.control.database import Database


@pytest.fixture
def store(db: Database, tmp_path: Path) -> ArtifactStore:
    """A store with two versions of a model in it."""
    found = ArtifactStore(tmp_path / "artifacts")
    register(db, found, trained(b"one"), run_id="r1")
    register(db, found, trained(b"two"), run_id="r2")
    return found


def test_an_alias_stands_wherever_a_version_may(db: Database, store: ArtifactStore) -> None:
    aliases.set_alias(db, "Churn", "champion", 1, who="ada")

    assert aliases.resolve(db, "churn", "champion").version == 1
    assert aliases.resolve(db, "churn@champion").version == 1
    assert aliases.resolve(db, "churn", "2").version == 2
    assert aliases.resolve(db, "churn").version == 2
    assert versions.load(db, store, "churn", "champion").files["booster.json"] == b"one"


def test_an_alias_moves_and_each_move_is_audited(db: Database, store: ArtifactStore) -> None:
    aliases.set_alias(db, "churn", "champion", 1, who="ada", why="first")
    aliases.set_alias(db, "churn", "champion", 2, who="bob")
    aliases.set_alias(db, "churn", "champion", 2, who="bob")
    assert [(one.alias, one.version, one.set_by) for one in list_aliases(db)] == [("champion", 2, "bob")]
    assert aliases.remove_alias(db, "churn", "champion", who="eve") == 2

    rows = audit.rows(db, object="model churn")

    assert [(row.action, row.who, row.evidence["before"], row.evidence["version"]) for row in rows] == [
        ("set alias", "ada", None, 1),
        ("set alias", "bob", 1, 2),
        ("remove alias", "eve", 2, None),
    ]
    assert audit.verify(db) == []


def test_an_alias_may_be_set_to_where_another_points(db: Database, store: ArtifactStore) -> None:
    aliases.set_alias(db, "churn", "candidate", 1, who="ada")

    assert aliases.set_alias(db, "churn", "champion", "candidate", who="ada").version == 1


@pytest.mark.parametrize("name", ["", "3", "007", "Champion", "a b", "é", "x" * 65, "a@b", "a/b", "a\n", "'; DROP"])
def test_a_name_that_could_be_mistaken_is_refused(db: Database, store: ArtifactStore, name: str) -> None:
    with pytest.raises(StateError, match="cannot be an alias"):
        aliases.set_alias(db, "churn", name, 1, who="ada")
    assert list_aliases(db) == []
    assert audit.rows(db) == []


@pytest.mark.parametrize("name", ["champion", "v3", "3-b", "_", "x" * 64])
def test_other_names_are_taken(db: Database, store: ArtifactStore, name: str) -> None:
    assert aliases.set_alias(db, "churn", name, 1, who="ada").version == 1


def test_unknown_aliases_versions_and_models_are_named_with_the_nearest(db: Database, store: ArtifactStore) -> None:
    aliases.set_alias(db, "churn", "champion", 1, who="ada")

    with pytest.raises(NotFoundError, match="no alias champoin") as unknown:
        aliases.resolve(db, "churn", "champoin")
    assert unknown.value.hint == "did you mean champion?"
    with pytest.raises(NotFoundError, match="no alias other"):
        aliases.remove_alias(db, "churn", "other", who="ada")
    with pytest.raises(NotFoundError, match="has no version 9"):
        aliases.set_alias(db, "churn", "champion", 9, who="ada")
    with pytest.raises(NotFoundError, match="no model chrun"):
        aliases.set_alias(db, "chrun", "champion", 1, who="ada")
    assert aliases.resolve(db, "churn", "champion").version == 1
