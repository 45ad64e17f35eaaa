"""A project broken in one way after the other: the doctor says what, why it matters and what to do."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.warehouse.upkeep_state import append

from tidemill import doctor, doctor_project
from tidemill.core.finding import Finding
from tidemill.project import Project, open_project
from tidemill.warehouse.control.holders import Holder, this_process
from tidemill.warehouse.control.leases import acquire, held
from tidemill.warehouse.duckdb.locks import write_lock

Check = Callable[[Project], Iterator[Finding]]


def only(check: Check, project: Project) -> Finding:
    """The one thing a check finds wrong; it says what to do."""
    (found,) = check(project)
    assert found.status != "ok"
    assert found.hint
    return found


@pytest.fixture
def lively(project: Project) -> Project:
    """The project with a table in its lake."""
    append(project.warehouse, "t", "SELECT 1 AS a", run_id="a")  # type: ignore[arg-type]
    return project


def test_a_project_where_all_is_well_has_nothing_to_mend(lively: Project) -> None:
    assert [found for found in doctor_project.look(lively) if found.check not in {"open files", "file system"}] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(lively: Project) -> None:
    folder = lively.keep / "lake" / "staging"
    folder.chmod(0o500)
    assert str(folder) in only(doctor_project.places, lively).detail
    folder.chmod(0o700)


def test_a_lake_that_another_project_may_use_is_named(
    lively: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("other") / "keep"
    lively.close()
    shutil.move(lively.keep, elsewhere)
    lively.keep.symlink_to(elsewhere)
    assert str(elsewhere) in only(doctor_project.shared, lively).detail


def test_a_network_s_file_system_under_the_lake_is_named(lively: Project) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/homes {lively.root} nfs4 rw 0 0\n"
    (found,) = doctor_project.network(lively, mounts=mounts)
    assert "nfs4" in found.detail
    assert list(doctor_project.network(lively, mounts="/dev/sda1 / ext4 rw 0 0\n")) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_folder_that_git_would_take_in_is_named(lively: Project) -> None:
    subprocess.run(["git", "init", "-q", str(lively.root)], check=True)
    assert "ignore" in only(doctor_project.ignored, lively).detail
    (lively.root / ".gitignore").write_text(".tidemill/\n")
    assert list(doctor_project.ignored(lively)) == []


def test_a_small_limit_of_open_files_is_named(lively: Project) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        assert "512" in only(doctor_project.descriptors, lively).detail
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_holds_the_writer_s_lock_is_named(lively: Project) -> None:
    with write_lock(lively.keep / "lake" / "write.lock", wait_s=1):
        assert f"process {os.getpid()}" in only(doctor_project.locks, lively).detail
    assert list(doctor_project.locks(lively)) == []


def test_leases_of_processes_that_are_gone_are_named(lively: Project) -> None:
    acquire(lively.db, "run", Holder(host=this_process().host, pid=2**22 + 1, start="never"))
    with held(lively.db, "collector", this_process()):
        assert "run" in only(doctor_project.leases, lively).detail


def test_a_damaged_control_database_is_named(lively: Project) -> None:
    lively.run(["visits"])
    lively.db.close()
    with closing(sqlite3.connect(lively.keep / "control.sqlite", isolation_level=None)) as database:
        # An index that does not say what its table says.
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX steps_by_status ON steps (asset)'"
            " WHERE name = 'steps_by_status'"
        )
    with open_project(lively.root) as again:
        found = list(doctor_project.control(again))
    assert found
    assert all("damaged" in one.detail for one in found)


def test_small_files_call_for_maintain(lively: Project) -> None:
    for turn in range(8):
        append(lively.warehouse, "t", "SELECT 1 AS a", run_id=f"more-{turn}")  # type: ignore[arg-type]
    found = only(doctor_project.upkeep, lively)
    assert (found.hint, "9 files into 1" in found.detail) == ("tidemill maintain", True)


def test_a_missing_wheel_is_named_and_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("duckdb", "duckdb-extension-that-is-not-there"))
    found = {one.check: one for one in doctor.examine(tmp_path)}
    assert "duckdb-extension-that-is-not-there" in found["packages"].detail
    assert "engine" not in found


def test_files_of_a_snapshot_that_are_gone_or_cut_or_have_no_digest_are_named(lively: Project) -> None:
    append(lively.warehouse, "t", "SELECT 2 AS a", run_id="b")  # type: ignore[arg-type]
    first, second = (lively.keep / "lake" / file.path for file in lively.warehouse.files("t"))
    first.rename(first.with_suffix(".away"))
    assert "missing: table t" in only(doctor_project.catalogue, lively).detail
    first.with_suffix(".away").rename(first)
    second.write_bytes(second.read_bytes()[:-1])
    assert "truncated: table t" in only(doctor_project.catalogue, lively).detail
    lively.close()
    with closing(sqlite3.connect(lively.keep / "lake" / "catalog.sqlite", isolation_level=None)) as catalogue:
        catalogue.execute("UPDATE ducklake_data_file SET path = 'other.parquet' WHERE begin_snapshot = 1")
    with open_project(lively.root) as again:
        details = [found.detail for found in doctor_project.catalogue(again)]
    assert any("other.parquet: no digest was recorded" in detail for detail in details)


def test_a_damaged_catalogue_is_named(lively: Project) -> None:
    lively.close()
    with closing(sqlite3.connect(lively.keep / "lake" / "catalog.sqlite", isolation_level=None)) as catalogue:
        catalogue.execute("CREATE TABLE more (a)")
        catalogue.execute("INSERT INTO more VALUES (1)")
        catalogue.execute("CREATE INDEX more_by_a ON more (a)")
        catalogue.execute("PRAGMA writable_schema = ON")
        catalogue.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX more_by_a ON more (a + 1)' WHERE name = 'more_by_a'"
        )
    with open_project(lively.root) as again:
        assert "damaged: catalogue" in only(doctor_project.catalogue, again).detail


def test_variables_that_settings_take_and_that_are_not_set_are_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_DATABASE", raising=False)
    monkeypatch.delenv("CATALOGUE_KEY", raising=False)
    (root / "tidemill.toml").write_text(
        '[connections.shop]\nurl = "sqlite:///${SHOP_DATABASE}"\n'
        '[openlineage]\nurl = "http://127.0.0.1:9"\napi_key_variable = "CATALOGUE_KEY"\n'
    )
    with open_project(root) as project:
        found = [one.detail.partition(",")[0] for one in doctor_project.variables(project)]
        assert found == [
            "connections.shop.url takes SHOP_DATABASE",
            "openlineage.api_key_variable takes CATALOGUE_KEY",
        ]
        monkeypatch.setenv("SHOP_DATABASE", "shop.sqlite")
        monkeypatch.setenv("CATALOGUE_KEY", "secret")
        assert list(doctor_project.variables(project)) == []


def test_files_that_only_wait_are_no_work(lively: Project) -> None:
    for turn in range(8):
        append(lively.warehouse, "t", "SELECT 1 AS a", run_id=f"more-{turn}")  # type: ignore[arg-type]
    lively.maintain()
    upkeep = lively.warehouse.upkeep
    upkeep.expire([one.version for one in upkeep.snapshots()[:-1]])
    assert "wait 24 h" in lively.maintain(dry_run=True).acts[0].detail
    assert list(doctor_project.upkeep(lively)) == []
