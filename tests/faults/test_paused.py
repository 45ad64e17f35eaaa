"""Processes that are stopped for longer than their lease, and go on when another has done their work (fault 14)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests.api.conftest import until
from tests.serving.log.conftest import prediction, write

from tidemill.core.clock import Clock, utc_now
from tidemill.project import Project, open_project
from tidemill.runner.label_columns import LabelRequest

AHEAD = Clock(now=lambda: utc_now() + timedelta(minutes=2))
"""By this clock every lease of a stopped process has run out."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a table to build, answers to collect and labels to take in."""
    made = tmp_path / "shop"
    (made / "sql").mkdir(parents=True)
    (made / "tidemill.toml").write_text('threads = 1\n[deployments.churn]\nkey = "customer"\n')
    model = "CREATE MODEL churn OPTIONS (input_label_cols = ['label']) AS SELECT i, i > 2 AS label FROM numbers"
    (made / "sql" / "all.sql").write_text(f"CREATE TABLE numbers AS SELECT i FROM range(5) AS r(i);\n{model};")
    (made / "labels.csv").write_text("prediction_id,label\nr1,left\nr2,stayed\n")
    write(made / ".tidemill" / "spool", *(prediction(number) for number in range(4)))
    return made


@contextmanager
def stopped_at(root: Path, point: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that has stopped itself at a fault point."""
    command = [sys.executable, "-m", "tidemill.cli.main", *words, "--project", str(root)]
    environment = os.environ | {"TIDEMILL_FAULT": f"{point}:stop"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=root
    ) as process:
        try:
            until(lambda: state_of(process.pid) == "T")
            yield process
        finally:
            process.kill()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _label(project: Project) -> None:
    project.label(LabelRequest(deployment="churn", input="labels.csv", here=project.root))


@pytest.mark.parametrize(
    ("words", "point", "again"),
    [
        (("run", "numbers"), "stage.after_sync", lambda project: project.run(["numbers"])),
        (("collect", "--once"), "collect.staged", lambda project: project.collect()),
        (("label", "churn", "--input", "labels.csv"), "label.before_append", _label),
        (("label", "churn", "--input", "labels.csv"), "label.before_record", _label),
    ],
    ids=["run", "collect", "label", "label that is written down"],
)
def test_fault_14_what_a_stopped_process_did_not_do_another_does_and_it_says_so_when_it_wakes(
    root: Path, words: tuple[str, ...], point: str, again: Callable[[Project], object]
) -> None:
    with stopped_at(root, point, *words) as process:
        with open_project(root, clock=AHEAD) as project:
            again(project)
        process.send_signal(signal.SIGCONT)
        said = process.communicate(timeout=300)[1]

    assert process.returncode == 5, said
    assert "lost the lease" in said
    with open_project(root) as project:
        project.run(["numbers"])
        project.collect()
        _label(project)
        for asked, rows in (
            ("count(*), count(DISTINCT i) FROM numbers", (5, 5)),
            ("count(*), count(DISTINCT id) FROM tidemill.predictions", (4, 4)),
        ):
            assert project.sql(f"SELECT {asked}").fetchall() == [rows]
        labels = project.sql("SELECT prediction_id, label, revision FROM tidemill.labels ORDER BY 1").fetchall()
        assert labels == [("r1", "left", 1), ("r2", "stayed", 1)]
        assert project.sql("SELECT count(*) FROM tidemill.received_labels").fetchall() == [(2,)]
        assert project.verify() == []


def test_fault_14_a_process_stopped_while_it_writes_to_the_lake_is_named_and_writes_nothing_after(root: Path) -> None:
    with stopped_at(root, "publish.before_guard", "run", "numbers") as process:
        other = subprocess.run(
            [sys.executable, "-c", WRITE, str(root)], capture_output=True, text=True, check=False, timeout=300
        )
        process.send_signal(signal.SIGCONT)
        said = process.communicate(timeout=300)[1]

    assert f"the warehouse is being written by process {process.pid}" in other.stdout
    assert process.returncode == 5, said
    with open_project(root) as project:
        assert "numbers" not in project.warehouse.tables()
        assert project.run(["numbers"]).status == "ok"
        assert project.verify() == []


WRITE = """
import sys
from pathlib import Path
from tests.faults.test_paused import AHEAD
from tidemill.core.errors import BusyError
from tidemill.testing.warehouse import put
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import held
from tidemill.warehouse.duckdb.lake import open_lake
root = Path(sys.argv[1])
db = open_database(sqlite_url(root / ".tidemill" / "control.sqlite"), clock=AHEAD)
with held(db, "project", this_process()):
    try:
        put(open_lake(root / ".tidemill", search_path=root, write_wait_s=0.1), "other", "SELECT 1 AS i")
    except BusyError as error:
        print(error.message)
"""
