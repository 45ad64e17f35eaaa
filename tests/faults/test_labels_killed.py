"""Deliveries of labels, killed everywhere they can be: delivered again, each label is there once (fault 60)."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.conftest import Servers, Shop
from tests.serving.log.conftest import prediction, write

from tidemill.cli.main import run_command
from tidemill.project import open_project
from tidemill.runner.labels import RECORD_ROWS
from tidemill.serving.log.spool import segments

LABELS = RECORD_ROWS + 2  # two records
SETTINGS = '[deployments.churn]\nkey = "customer"\n'
DECLARED = f'{SETTINGS}[deployments.churn.labels]\ninput = "labels.csv"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with answers in its log and labels in a file, of which one is none."""
    made = tmp_path / "shop"
    (made / "sql").mkdir(parents=True)
    (made / "tidemill.toml").write_text(SETTINGS)
    lines = [f"r{number},{'left' if number % 3 else 'stayed'}\n" for number in range(LABELS)]
    (made / "labels.csv").write_text("".join(["prediction_id,label\n", *lines, "r1,\n"]))
    write(made / ".tidemill" / "spool", *(prediction(number) for number in range(4)))
    return made


def run(root: Path, *words: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    """A command as a user types it, that may die."""
    command = [sys.executable, "-m", "tidemill.cli.main", *words, "--project", str(root)]
    environment = os.environ | {"TIDEMILL_FAULT": fault}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, env=environment, cwd=root)


RECORDED = ("label.before_record:kill", "label.recorded:kill")
DELIVER = ("label", "churn", "--input", "labels.csv")


def require_each_once(root: Path) -> None:
    """Each label counts once, and was received once."""
    with open_project(root) as project:
        found = project.sql(
            "SELECT count(*) AS n, count(DISTINCT prediction_id) AS ids, count(*) FILTER (revision > 1) AS revised"
            " FROM tidemill.labels"
        )
        assert found.to_arrow().to_pylist() == [{"n": LABELS, "ids": LABELS, "revised": 0}]
        received = project.sql("SELECT count(*) AS n FROM tidemill.received_labels").to_arrow().to_pylist()
        assert received == [{"n": LABELS}]
        assert project.sql("SELECT count(*) AS n FROM tidemill.rejects").to_arrow().to_pylist() == [{"n": 1}]


@pytest.mark.parametrize(
    "point", ["log.before_write:kill:1", "log.before_write:kill:2", "log.before_sync:kill", *RECORDED]
)
def test_fault_60_a_delivery_killed_anywhere_and_given_again_brings_each_label_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.chdir(root)
    assert run(root, *DELIVER, fault=point).returncode == -signal.SIGKILL

    assert run_command([*DELIVER, "--project", str(root)]) == 0

    require_each_once(root)


@pytest.mark.parametrize("point", ["log.before_write:kill:2", "label.before_record:kill", "publish.after_commit:kill"])
def test_fault_60_a_declared_source_killed_while_it_is_read_or_collected_brings_each_label_once(
    root: Path, point: str
) -> None:
    (root / "tidemill.toml").write_text(DECLARED)

    assert run(root, "collect", "--once", fault=point).returncode == -signal.SIGKILL

    for _ in range(2):
        assert run_command(["collect", "--once", "--project", str(root)]) == 0

    require_each_once(root)


@pytest.mark.parametrize("point", ["log.before_write", "log.before_sync"])
def test_fault_60_labels_whose_server_was_killed_are_sent_again_and_there_once(
    shop: Shop, serve: Servers, point: str
) -> None:
    labels = {"labels": [{"id": f"{number:026}", "label": number % 2 == 0} for number in range(3)]}
    server = serve(shop, "--workers", "1", TIDEMILL_FAULT=f"{point}:kill")
    with pytest.raises((http.client.HTTPException, OSError)):
        server.ask("POST", "/models/shop/labels", labels)
    server.process.kill()
    server.process.wait()
    assert segments(shop.root / ".tidemill" / "spool")

    again = serve(shop, "--workers", "1")
    assert [again.ask("POST", "/models/shop/labels", labels).status for _ in range(2)] == [202, 202]

    with open_project(shop.root) as project:
        project.collect()
        found = project.sql("SELECT prediction_id, label, revision FROM tidemill.labels ORDER BY 1").to_arrow()
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (f"{0:026}", "true", 1),
        (f"{1:026}", "false", 1),
        (f"{2:026}", "true", 1),
    ]
