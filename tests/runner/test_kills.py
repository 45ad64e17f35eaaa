"""Runs that are killed, raced or starved: the old version stays, the next run finishes the work.

Children really die (SIGKILL at named points), disks are really refused, two runs really start at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.runner.conftest import write_visits

from tidemill.project import Project, open_project

RUN = "import sys, tidemill; report = tidemill.open(sys.argv[1]).run(); sys.exit(report.exit_status)"


def start_run(root: Path, fault: str = "", **environment: str) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    variables = {**os.environ, "TIDEMILL_FAULT": fault, **environment}
    return subprocess.Popen([sys.executable, "-c", RUN, str(root)], env=variables, stderr=subprocess.PIPE, text=True)


def run_killed_at(root: Path, fault: str) -> None:
    process = start_run(root, f"{fault}:kill")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -9, errors


def rows(project: Project, table: str) -> int:
    return int(project.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0])


@pytest.mark.parametrize(
    "point", ["stage.after_sync", "publish.before_commit", "publish.after_commit", "step.before_record"]
)
def test_a_table_step_killed_anywhere_leaves_the_old_rows_or_the_new(root: Path, point: str) -> None:
    with open_project(root) as project:
        project.run(["features"])
    write_visits(root, rows=700)

    run_killed_at(root, point)

    with open_project(root) as project:
        assert rows(project, "visits") in {600, 700}
        assert rows(project, "features") == 600
        report = project.run(["features"])
        assert report.status == "ok"
        assert rows(project, "features") == 700
        statuses = project.sql("SELECT status FROM tidemill.runs ORDER BY started_at").fetchall()
        assert statuses == [("ok",), ("lost",), ("ok",)]
        assert project.verify() == []


def test_rows_that_landed_before_the_kill_are_not_computed_again(root: Path) -> None:
    run_killed_at(root, "publish.after_commit")

    with open_project(root) as project:
        report = project.run(["visits"])

        assert [(step.asset, step.status) for step in report.steps] == [("visits", "resumed")]
        assert len(project.history("visits")) == 1


@pytest.mark.parametrize("point", ["artifact.written", "register.before_commit", "register.during_commit"])
def test_a_training_killed_anywhere_leaves_no_half_version(root: Path, point: str) -> None:
    with open_project(root) as project:
        project.run(["features"])

    run_killed_at(root, point)

    with open_project(root) as project:
        assert rows(project, "tidemill.model_versions") == 0
        assert project.run().status == "ok"
        assert project.sql("SELECT version FROM tidemill.model_versions").fetchall() == [(1,)]
        assert project.verify() == []


def test_a_full_disk_fails_the_step_and_keeps_the_old_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_project(root) as project:
        project.run(["visits"])
        write_visits(root, rows=700)
        monkeypatch.setenv("TIDEMILL_FAULT", "stage.before_sync:enospc")

        report = project.run(["visits"])

        assert report.steps[0].error is not None
        assert report.steps[0].error.code == "TM-DISK-FULL"
        assert rows(project, "visits") == 600
        monkeypatch.delenv("TIDEMILL_FAULT")
        assert project.run(["visits"]).status == "ok"


def test_of_two_runs_at_once_one_runs_and_the_other_says_who(root: Path) -> None:
    first = start_run(root, "step.before_record:pause")
    lock = root / ".tidemill" / "control.sqlite"
    deadline = time.monotonic() + 60
    with open_project(root) as project:
        while not (lock.exists() and rows_in(project, "runs")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        second = start_run(root)
        _, errors = second.communicate(timeout=60)
        first.kill()
        first.communicate()

    assert second.returncode == 1
    assert f"process {first.pid}" in errors
    assert "BusyError" in errors


def rows_in(project: Project, table: str) -> int:
    with project.db.read() as tx:
        return int(tx.value(f"SELECT count(*) FROM {table}"))
