"""The content store: durable before named, checked before read, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.core import faults
from tidemill.core.digest import digest_bytes
from tidemill.core.errors import CorruptError, InternalError, SpaceError, StateError
from tidemill.registry.store import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def files_in(store: ArtifactStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.dictionaries(st.text(max_size=5), st.binary(max_size=2000), max_size=4))
def test_what_was_put_is_read_back(store: ArtifactStore, contents: dict[str, bytes]) -> None:
    digests = store.put(contents)

    assert digests == {name: digest_bytes(data) for name, data in contents.items()}
    assert {name: store.read(sha256) for name, sha256 in digests.items()} == contents


def test_the_same_bytes_are_kept_once_and_touched_again(store: ArtifactStore) -> None:
    sha256 = store.put({"a": b"same", "b": b"same"})["a"]
    os.utime(store.path(sha256), (1, 1))

    store.put({"c": b"same"})

    assert files_in(store) == [store.path(sha256)]
    assert store.path(sha256).stat().st_mtime > 1


@pytest.mark.parametrize(
    "harm",
    [lambda data: data[:-1], lambda data: bytes([data[0] ^ 1]) + data[1:], lambda _: b"", lambda data: data + b"x"],
    ids=["cut", "one bit flipped", "empty", "longer"],
)
def test_a_file_that_is_not_what_was_written_is_never_handed_out(
    store: ArtifactStore, harm: Callable[[bytes], bytes]
) -> None:
    data = b"the model's bytes"
    sha256 = store.put({"model.onnx": data})["model.onnx"]
    damage(store.path(sha256), harm(data))

    with pytest.raises(CorruptError, match=r"model\.onnx") as caught:
        store.read(sha256, name="model.onnx")

    assert "tidemill verify" in caught.value.hint
    assert str(store.path(sha256)) in store.problem(sha256, size=len(data))
    store.put({"again": data})
    assert store.read(sha256) == data


def test_a_missing_file_is_named_as_missing(store: ArtifactStore) -> None:
    with pytest.raises(CorruptError, match="missing"):
        store.read("0" * 64)
    assert "missing" in store.problem("0" * 64, size=1)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "ab", "Z" * 64])
def test_a_digest_that_is_none_never_becomes_a_path(store: ArtifactStore, name: str) -> None:
    with pytest.raises(InternalError):
        store.read(name)


@pytest.mark.parametrize("point", ["artifact.before_write", "artifact.during_write", "artifact.before_rename"])
def test_a_full_disk_is_said_with_bytes_and_leaves_nothing(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    kept = store.put({"old": b"old"})["old"]
    monkeypatch.setattr(faults, "_passes", {})
    monkeypatch.setenv("TIDEMILL_FAULT", f"{point}:enospc")

    with pytest.raises(SpaceError, match="needs 7 bytes") as caught:
        store.put({"new": b"the new"})

    assert caught.value.facts["needed"] == 7
    assert caught.value.facts["free"] > 0
    assert files_in(store) == [store.path(kept)]


def test_an_input_output_error_is_said_and_not_tried_again(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_passes", {})
    monkeypatch.setenv("TIDEMILL_FAULT", "artifact.during_write:error")

    with pytest.raises(StateError, match="cannot be written"):
        store.put({"new": b"the new"})

    assert files_in(store) == []


def test_a_sweep_takes_only_what_is_old_and_not_named(store: ArtifactStore) -> None:
    digests = store.put({"named": b"1", "old": b"2", "young": b"3"})
    left = store.root / "tmp" / "left-by-a-killed-process"
    left.write_bytes(b"x")
    for path in (store.path(digests["named"]), store.path(digests["old"]), left):
        os.utime(path, (1000, 1000))
    now = store.path(digests["young"]).stat().st_mtime

    removed = store.sweep([digests["named"]], older_than_s=3600, now_s=now)

    assert sorted(removed) == sorted([str(store.path(digests["old"])), str(left)])
    assert store.has(digests["named"])
    assert store.has(digests["young"])


def test_files_and_folders_are_synced_before_put_returns(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to see which file is synced")
    monkeypatch.setattr(os, "fsync", watch)

    sha256 = store.put({"a": b"data"})["a"]

    place = store.path(sha256)
    order = [path for path in synced if path.startswith(str(store.root / "tmp" / sha256)) or path == str(place.parent)]
    assert len(order) == 2
    assert order[0].startswith(str(store.root / "tmp"))
    assert order[1] == str(place.parent)
    # A folder that was made is only there for good once its parent is synced.
    assert {str(store.root.parent), str(store.root), str(store.root / "sha256")} <= set(synced)
