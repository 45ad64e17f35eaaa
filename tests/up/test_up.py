"""The tree of processes: started, watched, ended in order; and the page that shows it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import until

from tidemill.cli.main import run_command
from tidemill.cli.status_page import SHOW
from tidemill.core.clock import utc_now
from tidemill.project import open_project
from tidemill.runner.overview import SECTIONS
from tidemill.up.parts import PARTS
from tidemill.warehouse.control.holders import Holder, this_process
from tidemill.warehouse.control.parts import PartRow

COMMAND = [sys.executable, "-m", "tidemill.cli.main"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "tidemill.toml").write_text('[server]\nsettle_seconds = 0\n[schedules.yearly]\ncron = "@yearly"\n')
    return folder


class Up:
    """``tidemill up`` at work, and what it has said."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.root, self.said = root, root / "up.log"
        words = [*COMMAND, "up", "--port", "0", "--log", "json", "--project", str(root), *arguments]
        with self.said.open("wb") as file:
            self.process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)

    def lines(self) -> list[dict[str, Any]]:
        whole = [line for line in self.said.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line) for line in whole]

    def facts(self, part: str, word: str) -> list[dict[str, Any]]:
        return [line[word] for line in self.lines() if line["part"] == part and word in line]

    def pids(self) -> dict[str, int]:
        return {facts["child"]: facts["pid"] for facts in self.facts("up", "started")}

    def overview(self) -> dict[str, list[dict[str, Any]]]:
        with open_project(self.root) as project:
            return project.overview()

    def states(self) -> dict[str, str]:
        return {one["part"]: one["state"] for one in self.overview()["parts"]}

    def until_up(self) -> None:
        until(lambda: self.states() == dict.fromkeys(("collector", "monitor", "scheduler", "server"), "up"), seconds=60)


@contextmanager
def started(root: Path, *arguments: str) -> Iterator[Up]:
    made = Up(root, *arguments)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.send_signal(signal.SIGTERM)
            made.process.wait(timeout=60)


def test_every_part_is_up_and_ends_in_its_turn(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with started(root) as it:
        it.until_up()
        until(lambda: it.facts("server", "ready") != [], seconds=60)  # its row comes before its word
        assert run_command(["status", "--project", str(root)]) == 0
        shown = capsys.readouterr().out
        address = it.facts("server", "ready")[0]["address"]

        it.process.send_signal(signal.SIGTERM)
        status = it.process.wait(timeout=60)

    assert status == 0
    assert address in shown
    ended = [facts["child"] for facts in it.facts("up", "ended")]
    assert (set(ended[:2]), ended[2:]) == ({"monitor", "scheduler"}, ["server", "collector"])
    assert it.states() == {}
    assert all(not Path(f"/proc/{pid}").exists() for pid in it.pids().values())


def test_a_part_that_is_killed_is_started_again_and_it_is_said(root: Path) -> None:
    with started(root) as it:
        it.until_up()
        first = it.pids()["scheduler"]

        os.kill(first, signal.SIGKILL)
        until(lambda: len(it.facts("scheduler", "ready")) == 2, seconds=60)

        assert "SIGKILL" in it.facts("up", "restart")[0]["why"]
        assert it.pids()["scheduler"] != first


def test_no_part_outlives_a_tree_that_was_killed(root: Path) -> None:
    with started(root) as it:
        it.until_up()
        it.process.kill()
        it.process.wait()

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in it.pids().values()), seconds=60)


def test_a_part_that_cannot_start_ends_the_tree_with_its_status(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [
            *COMMAND,
            "up",
            "--port",
            str(taken.getsockname()[1]),
            "--without",
            "collector",
            "--project",
            str(root),
        ]
        refused = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert refused.returncode == 2
    assert "in use" in refused.stdout
    assert "server cannot start (status 2)" in refused.stdout
    assert "collector" not in refused.stdout


def test_a_part_that_does_not_exist_cannot_be_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["up", "--without", "colector", "--project", str(root)]) == 2
    assert "did you mean collector?" in capsys.readouterr().err


def test_every_part_runs_alone_too_and_the_scheduler_ends_first(root: Path) -> None:
    from tidemill.cli.main import COMMANDS
    from tidemill.up.parts import UpOptions

    assert {part.words(UpOptions(root=root))[0] for part in PARTS} <= COMMANDS.keys()
    assert [part.name for part in sorted(PARTS, key=lambda part: part.turn)] == [
        "monitor",
        "scheduler",
        "server",
        "collector",
    ]


def test_every_part_stands_in_the_page_that_tells_of_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "run-it-all.md").read_text(encoding="utf-8")

    assert [part.name for part in PARTS if f"| {part.name} |" not in page] == []


def test_every_section_of_the_page_can_be_shown() -> None:
    assert list(SHOW) == list(SECTIONS)


def test_the_page_of_a_new_project_says_what_to_do_next(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["status", "--project", str(root)]) == 0

    shown = capsys.readouterr().out
    assert "none: tidemill deploy NAME makes one" in shown
    assert "none is up: tidemill up starts them all" in shown
    assert "(no scheduler knows it yet)" in shown


def test_a_silent_part_is_told_from_a_killed_one() -> None:
    now, me = utc_now(), this_process()

    def state(holder: Holder, ago_s: float) -> str:
        beat = now - timedelta(seconds=ago_s)
        return PartRow(part="server", holder=holder, about="", started_at=beat, beat_at=beat).state(now)

    assert state(me, 5) == "up"
    assert state(me, 60) == "silent"
    assert state(Holder(host=me.host, pid=2**22 - 1), 5) == "gone"
    assert state(Holder(host="elsewhere", pid=1), 5) == "up"


def test_watching_prints_the_page_again_until_ctrl_c(root: Path) -> None:
    # Tests that are started in the background ignore SIGINT, and what they start does.
    words = ["env", "--default-signal=INT", *COMMAND, "status", "--watch", "--project", str(root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        heads = 0
        for line in process.stdout:
            heads += line.startswith("DEPLOYMENTS")
            if heads == 2:
                break
        process.send_signal(signal.SIGINT)
        process.communicate()

    assert process.returncode == 130
