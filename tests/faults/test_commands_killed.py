"""Commands that change a deployment, killed everywhere they can be (reliability faults 3 and 4).

Each command runs in a process of its own that dies at its first fault point, then at its second, and so on until it
comes to its end. Whatever happened: one champion, whose files verify, a whole audit trail, and a command that works.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults.conftest import Shop, open_control

from tidemill.cli.main import run_command
from tidemill.warehouse.control import audit

MOST = 20


def run(root: Path, *words: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    """A command as a user types it, that may die."""
    command = [sys.executable, "-m", "tidemill.cli.main", *words, "--project", str(root)]
    environment = os.environ | {"TIDEMILL_FAULT": fault, "TIDEMILL_USER": "ann"}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)


def killed_at_each_point(shop: Shop, tmp_path: Path, *words: str) -> Iterator[Shop]:
    """Copies of the project in which the command was killed, at one point after the other; the last came to its end."""
    for number in range(1, MOST):
        root = tmp_path / f"killed{number}"
        shutil.copytree(shop.root, root)
        ran = run(root, *words, fault=f"*:kill:{number}")
        with closing(open_control(root)) as db:
            yield Shop(root, db)
        if ran.returncode != -signal.SIGKILL:
            assert ran.returncode == 0, ran.stderr
            return
    raise AssertionError(f"it passes more than {MOST} fault points")


def test_fault_4_a_deploy_killed_anywhere_leaves_the_champion_and_can_be_given_again(
    shop: Shop, tmp_path: Path
) -> None:
    stood = []
    for copy in killed_at_each_point(shop, tmp_path, "deploy", "shop", "--version", "2"):
        copy.require_whole()
        before = copy.now()
        assert before.champion == 1
        stood.append(before.challenger)
        again = run_command(["deploy", "shop", "--version", "2", "--project", str(copy.root)])
        copy.require_whole()
        # Where the kill came after the commit, it is done: the same command says so.
        assert again == (0 if before.challenger is None else 5)
        assert (copy.now().champion, copy.now().challenger, copy.now().stage) == (1, 2, "canary")

    assert stood[0] is None
    assert stood[-2:] == [2, 2]
    assert len(stood) >= 5


@pytest.mark.parametrize(("command", "start", "end"), [("promote", 1, 2), ("rollback", 2, 1)])
def test_fault_4_a_promotion_or_rollback_killed_anywhere_happened_or_did_not(
    shop: Shop, tmp_path: Path, command: str, start: int, end: int
) -> None:
    shop.deploy(2, share=0.5 if command == "promote" else 0.0)
    assert shop.now().champion == start

    seen = []
    for copy in killed_at_each_point(shop, tmp_path, command, "shop", "--why", "a test"):
        copy.require_whole()
        now = copy.now()
        seen.append(now.champion)
        rows = [row for row in audit.rows(copy.db) if row.why == "a test"]
        assert len(rows) == (now.champion == end)
        assert now.previous == (1 if now.champion == 2 else None)
        if now.champion == start:
            assert run_command([command, "shop", "--project", str(copy.root)]) == 0
        assert copy.now().champion == end
        copy.require_whole()

    assert seen == [start, end, end]


def test_fault_3_a_training_killed_between_its_files_and_its_row_makes_no_version_and_goes_on(
    shop: Shop, tmp_path: Path
) -> None:
    path = shop.root / "sql" / "buyers.sql"
    path.write_text(path.read_text().replace("l2_reg = 300", "l2_reg = 7"))

    killed = run(shop.root, "run", fault="register.before_commit:kill")

    assert killed.returncode == -signal.SIGKILL
    files = {one for one in shop.store.root.rglob("*") if one.is_file()}
    with shop.db.read() as tx:
        assert tx.value("SELECT max(version) FROM model_versions") == 2
    assert run_command(["run", "--project", str(shop.root)]) == 0
    with shop.db.read() as tx:
        assert tx.value("SELECT max(version) FROM model_versions") == 3
    assert {one for one in shop.store.root.rglob("*") if one.is_file()} == files  # the files were used again
    shop.require_whole()
