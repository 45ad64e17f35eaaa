"""Registering, loading, dropping and verifying versions; with processes that are killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tidemill.core import faults
from tidemill.core.clock import Clock
from tidemill.core.errors import ConflictError, CorruptError, InternalError, NotFoundError, SpaceError
from tidemill.model_types.base import Iteration
from tidemill.registry import versions
from tidemill.registry.store import ArtifactStore
from tidemill.registry.verify import verify_artifacts
from tidemill.training.result import TrainedModel, artifact_digest
from tidemill.warehouse.control import assets, leases, models
from tidemill.warehouse.control.database import Database, Tx, open_database, sqlite_url
from tidemill.warehouse.control.holders import Holder, this_process

# A process that registers a version and is killed where TIDEMILL_FAULT says.
REGISTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_model_versions import register, trained
from tidemill.core.clock import Clock
from tidemill.registry.store import ArtifactStore
from tidemill.warehouse.control.database import open_database
db = open_database(sys.argv[1], clock=Clock())
print(register(db, ArtifactStore(Path(sys.argv[2])), trained(b"new"), run_id="r2").version, flush=True)
db.close()
"""


def trained(booster: bytes = b"{}", **changes: object) -> TrainedModel:
    files = {"manifest.json": b'{"name":"churn"}', "booster.json": booster, "model.onnx": b"\x08\x07"}
    model = TrainedModel(
        files=files,
        digest=artifact_digest(files),
        metrics={"roc_auc": 0.75},
        evaluated_on="evaluation",
        iterations=(Iteration(iteration=0, loss=0.5, eval_loss=0.6, learning_rate=0.1, duration_ms=3),),
        rows_train=80,
        rows_eval=20,
        seconds=0.5,
        model_type="BOOSTED_TREE_CLASSIFIER",
        options={"max_iterations": 20},
        feature_info=({"input": "age"},),
    )
    return replace(model, **changes)  # type: ignore[arg-type]


def register(
    db: Database, store: ArtifactStore, model: TrainedModel, *, run_id: str, lease: leases.Lease | None = None
) -> models.ModelVersion:
    return versions.register(
        db,
        store,
        name="churn",
        trained=model,
        fingerprint="f",
        run_id=run_id,
        step="churn@1",
        lineage={"tables": {"customers": 3}},
        lease=lease,
    )


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def blobs(store: ArtifactStore) -> int:
    return sum(1 for path in store.root.rglob("*") if path.is_file())


def test_a_registered_version_is_loaded_with_all_its_facts(db: Database, store: ArtifactStore) -> None:
    version = register(db, store, trained(), run_id="r1")

    loaded = versions.load(db, store, "CHURN")

    assert (loaded.name, loaded.version, loaded.manifest) == ("churn", version.version, {"name": "churn"})
    assert dict(loaded.files) == trained().files
    assert loaded.digest == trained().digest
    assert loaded.metrics == {"roc_auc": 0.75}
    assert loaded.iterations == trained().iterations
    assert (loaded.evaluated_on, loaded.feature_info) == ("evaluation", ({"input": "age"},))
    assert loaded.options == {"max_iterations": 20}
    assert "model.onnx" in loaded.files
    assert "absent" not in loaded.files
    assert verify_artifacts(db, store) == []


def test_versions_stay_loadable_beside_the_current_one(db: Database, store: ArtifactStore) -> None:
    register(db, store, trained(b"one"), run_id="r1")
    register(db, store, trained(b"two"), run_id="r2")

    assert versions.load(db, store, "churn").files["booster.json"] == b"two"
    assert versions.load(db, store, "churn", 1).files["booster.json"] == b"one"
    assert [version.version for version in versions.list_versions(db, "churn")] == [2, 1]
    assert [model.version for model in versions.list_models(db)] == [2]


def test_a_second_registration_of_the_same_step_returns_the_first(db: Database, store: ArtifactStore) -> None:
    first = register(db, store, trained(), run_id="r1")

    again = register(db, store, trained(b"other", metrics={"roc_auc": 0.1}), run_id="r1")

    assert (again.version, again.digest) == (first.version, first.digest)
    assert versions.load(db, store, "churn").metrics == {"roc_auc": 0.75}


def test_what_is_said_with_a_version_is_committed_with_it(db: Database, store: ArtifactStore) -> None:
    def also(tx: Tx, version: models.ModelVersion) -> None:
        assets.save_asset(tx, assets.Asset(name="churn", kind="model", fingerprint="f", version=version.version))

    def fail(tx: Tx, version: models.ModelVersion) -> None:
        also(tx, version)
        raise RuntimeError

    for then, kept in ((fail, {}), (also, {"churn": 1})):
        with suppress(RuntimeError):
            versions.register(
                db,
                store,
                name="churn",
                trained=trained(),
                fingerprint="f",
                run_id="r1",
                step="s",
                lineage={},
                also=then,
            )
        assert {key: asset.version for key, asset in assets.load_assets(db).items()} == kept
        assert len(versions.list_versions(db)) == len(kept)


def test_a_digest_that_is_not_that_of_the_files_is_refused(db: Database, store: ArtifactStore) -> None:
    with pytest.raises(InternalError, match="digest"):
        register(db, store, trained(digest="0" * 64), run_id="r1")


def test_a_run_that_lost_its_lease_registers_nothing(db: Database, store: ArtifactStore) -> None:
    lease = leases.acquire(db, "run", Holder(host="elsewhere", pid=1), ttl_s=0)
    leases.acquire(db, "run", this_process())

    with pytest.raises(ConflictError):
        register(db, store, trained(), run_id="r1", lease=lease)

    assert versions.list_versions(db) == []


def test_a_full_disk_registers_nothing_and_the_old_version_stays(
    db: Database, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(db, store, trained(), run_id="r1")
    before = blobs(store)
    with monkeypatch.context() as patch:
        patch.setattr(faults, "_passes", {})
        patch.setenv("TIDEMILL_FAULT", "artifact.during_write:enospc")
        with pytest.raises(SpaceError, match="no version|disk is full"):
            register(db, store, trained(b"new"), run_id="r2")

    assert versions.load(db, store, "churn").version == 1
    assert blobs(store) == before
    assert register(db, store, trained(b"new"), run_id="r2").version == 2


KILL_POINTS = [
    "artifact.before_write",
    "artifact.during_write",
    "artifact.before_rename",
    "artifact.written",
    "register.before_commit",
]


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_process_killed_before_the_commit_leaves_no_version(tmp_path: Path, store: ArtifactStore, point: str) -> None:
    kill_and_repeat(sqlite_url(tmp_path / "c.sqlite"), store, point)


def test_a_process_killed_in_the_commit_leaves_no_version(control_url: str, store: ArtifactStore) -> None:
    kill_and_repeat(control_url, store, "register.during_commit")


def kill_and_repeat(control_url: str, store: ArtifactStore, point: str) -> None:
    with closing(open_database(control_url, clock=Clock())) as db:
        register(db, store, trained(), run_id="r1")
        whole = blobs(store)
        command = [sys.executable, "-c", REGISTER, control_url, str(store.root), str(Path(__file__).parent)]

        killed = subprocess.run(
            command, env=os.environ | {"TIDEMILL_FAULT": f"{point}:kill"}, capture_output=True, check=False
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert versions.load(db, store, "churn").version == 1
        assert verify_artifacts(db, store) == []
        # The same step again, in a fresh process, uses what is there and makes the version.
        again = subprocess.run(command, capture_output=True, text=True, check=True)
        assert again.stdout.strip() == "2"
        assert versions.load(db, store, "churn").files["booster.json"] == b"new"
        assert verify_artifacts(db, store) == []
        # Only temporary files of the killed process can be left, and a sweep takes them.
        versions.sweep(db, store, older_than_s=-60)
        assert blobs(store) == whole + 1


def test_a_damaged_file_is_found_and_never_handed_out(db: Database, store: ArtifactStore) -> None:
    version = register(db, store, trained(), run_id="r1")
    booster = next(file for file in version.files if file.name == "booster.json")
    path = store.path(booster.sha256)
    path.chmod(0o644)
    path.write_bytes(b"{{")

    loaded = versions.load(db, store, "churn")
    with pytest.raises(CorruptError, match=r"booster\.json of model churn version 1"):
        loaded.files["booster.json"]
    assert loaded.files["model.onnx"] == b"\x08\x07"

    (problem,) = verify_artifacts(db, store)
    assert problem.object == "booster.json of model churn version 1"
    assert str(path) in problem.detail
    assert verify_artifacts(db, store, "other") == []


def test_a_row_that_names_other_files_is_found(db: Database, store: ArtifactStore) -> None:
    register(db, store, trained(), run_id="r1")
    other = store.put({"x": b"[]"})["x"]
    with db.write() as tx:
        tx.execute(
            "UPDATE model_versions SET files = :files",
            files=f'[["booster.json","{other}",2],["manifest.json","{other}",2]]',
        )

    assert [problem.what for problem in verify_artifacts(db, store)] == ["model digest"]


def test_a_dropped_model_is_gone_and_its_files_are_swept(db: Database, store: ArtifactStore) -> None:
    register(db, store, trained(), run_id="r1")
    assert versions.sweep(db, store, older_than_s=-60) == []

    assert versions.drop_model(db, "Churn")

    with pytest.raises(NotFoundError, match="no model churn"):
        versions.load(db, store, "churn")
    with pytest.raises(NotFoundError):
        versions.drop_model(db, "churn")
    assert not versions.drop_model(db, "churn", if_exists=True)
    assert len(versions.sweep(db, store, older_than_s=-60)) == 3
    assert blobs(store) == 0
    assert register(db, store, trained(), run_id="r2").version == 2


def test_files_that_vanish_before_the_commit_register_nothing(
    db: Database, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put

    def put_and_lose(files: dict[str, bytes]) -> dict[str, str]:
        digests = put(files)
        store.path(digests["booster.json"]).unlink()
        return digests

    monkeypatch.setattr(store, "put", put_and_lose)

    with pytest.raises(CorruptError, match=r"booster\.json"):
        register(db, store, trained(), run_id="r1")

    assert versions.list_versions(db) == []
