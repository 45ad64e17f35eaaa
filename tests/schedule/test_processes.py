"""Real schedulers: killed at each point, stopped, two at once, asked to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import until
from tests.schedule.conftest import make_due, slots, write_project

from tidemill.core.clock import Clock, utc_now
from tidemill.project import open_project
from tidemill.schedule.perform import perform_due
from tidemill.schedule.timer import Timer
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import held
from tidemill.warehouse.control.parts import list_parts

COMMAND = [sys.executable, "-m", "tidemill.cli.main", "schedule", "--json"]


def once(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--once", "--project", str(root)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Scheduler:
    """A scheduler that goes on, and what it and the processes it starts have said so far."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.said = root / f"said-{len(list(root.glob('said-*')))}"
        with self.said.open("wb") as file:
            command = [*COMMAND, *arguments, "--project", str(root)]
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def words(self, word: str) -> list[dict[str, Any]]:
        lines = self.said.read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("{")]
        return [facts[word] for facts in found if word in facts]

    def wait_for(self, word: str) -> dict[str, Any]:
        until(lambda: bool(self.words(word)))
        return self.words(word)[0]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextmanager
def scheduler(root: Path, *arguments: str) -> Iterator[Scheduler]:
    made = Scheduler(root, *arguments)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def built(root: Path) -> bool:
    with open_project(root) as project:
        return project.plan().changed is False


@pytest.mark.parametrize(
    ("point", "left", "then"),
    [
        ("schedule.leased", [], [("ok", 1)]),
        ("schedule.begun", [("running", 1)], [("ok", 2)]),
        ("step.before_record", [("running", 1)], [("ok", 2)]),
        ("schedule.done", [("running", 1)], [("ok", 2)]),
        ("schedule.recorded", [("ok", 1)], [("ok", 1)]),
    ],
)
def test_killed_at_any_point_a_slot_is_done_by_the_next_scheduler(
    yearly: Path, point: str, left: list[tuple[str, int]], then: list[tuple[str, int]]
) -> None:
    killed = once(yearly, TIDEMILL_FAULT=f"{point}:kill")
    assert killed.returncode == -signal.SIGKILL
    assert [(row.status, row.attempt) for row in slots(yearly)] == left

    after = once(yearly)

    assert after.returncode == 0, after.stderr
    assert ('"lost"' in after.stdout) == (then == [("ok", 2)])
    assert [(row.status, row.attempt) for row in slots(yearly)] == then
    assert built(yearly)


def test_without_retries_a_killed_slot_is_said_and_left(tmp_path: Path) -> None:
    root = write_project(tmp_path, '[schedules.yearly]\ncron = "@yearly"\nretries = 0\n')
    make_due(root)
    once(root, TIDEMILL_FAULT="schedule.begun:kill")

    after = once(root)

    assert '"lost"' in after.stdout
    assert [(row.status, row.attempt) for row in slots(root)] == [("lost", 1)]


def test_fault_14_a_process_that_was_stopped_writes_nothing_once_its_slot_was_taken_over(
    yearly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(yearly)
    with stopped_in_its_slot(yearly) as stopped:
        ahead = Clock(now=lambda: utc_now() + timedelta(minutes=1))  # by then its lease has run out
        with open_project(yearly, clock=ahead) as later:
            words: list[str] = []
            perform_due(later, say=lambda word, _: words.append(word))
        assert words == ["lost", "begun", "ended"]

        stopped.send_signal(signal.SIGCONT)
        said = stopped.communicate(timeout=60)[1]

    assert stopped.returncode == 5
    assert "lost the lease" in said
    assert [(row.status, row.attempt) for row in slots(yearly)] == [("ok", 2)]


@contextmanager
def stopped_in_its_slot(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a slot, and is stopped."""
    command = [*COMMAND, "--once", "--project", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            # While somebody else runs the project, the slot's own run waits.
            with open_project(root) as project, held(project.db, "project", this_process()):
                until(lambda: [row.status for row in slots(root)] == ["running"])
                process.send_signal(signal.SIGSTOP)
                until(lambda: state_of(process.pid) == "T")
            yield process
        finally:
            process.kill()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_of_two_schedulers_one_does_the_slot(yearly: Path) -> None:
    with scheduler(yearly) as one, scheduler(yearly) as other:
        until(lambda: bool(one.words("ended") or other.words("ended")))

        assert [one.end(), other.end()] == [0, 0]

    assert len(one.words("begun") + other.words("begun")) == 1
    assert [(row.status, row.attempt) for row in slots(yearly)] == [("ok", 1)]
    assert built(yearly)


def test_fault_67_however_many_are_due_one_of_a_kind_is_done_at_a_time(tmp_path: Path) -> None:
    kinds = {"a": "check", "b": "check", "c": "check", "d": "collect"}
    root = write_project(
        tmp_path, "".join(f'[schedules.{name}]\ncron = "@yearly"\ndo = "{do}"\n' for name, do in kinds.items())
    )
    make_due(root)
    with open_project(root) as project:
        timer = Timer(
            root=root, settings=project.settings, db=project.db, clock=Clock(), say=lambda _word, _facts: None
        )
        timer.look()
        timer.look()
        begun = sorted(timer.children)
        stop = threading.Event()
        stop.set()

        assert timer.run(stop) == 0

    assert begun == ["a", "d"]


def test_a_slot_outlives_its_scheduler_and_the_next_scheduler_lets_it_be(yearly: Path) -> None:
    with open_project(yearly) as project, held(project.db, "project", this_process()) as _:
        with scheduler(yearly) as first:
            first.wait_for("begun")
        with scheduler(yearly) as second:
            second.wait_for("ready")
            until(lambda: up(yearly) == 1)
            assert second.end() == 0
    until(lambda: [row.status for row in slots(yearly)] == ["ok"])

    assert [row.attempt for row in slots(yearly)] == [1]
    assert not second.words("begun")


def test_asked_to_end_it_breaks_its_slot_off_and_the_next_one_takes_it_up(yearly: Path) -> None:
    with open_project(yearly) as project, held(project.db, "project", this_process()), scheduler(yearly) as first:
        first.wait_for("begun")
        assert first.end() == 0
        assert [row.status for row in slots(yearly)] == ["interrupted"]

    after = once(yearly)

    assert after.returncode == 0
    assert [(row.status, row.attempt) for row in slots(yearly)] == [("ok", 2)]


def test_a_scheduler_takes_edits_of_the_settings_and_keeps_the_old_ones_while_they_are_wrong(tmp_path: Path) -> None:
    root = write_project(tmp_path, "")
    with scheduler(root) as it:
        it.wait_for("ready")
        until(lambda: up(root) == 1)
        (root / "tidemill.toml").write_text("[schedules.yearly]\n")
        assert "has no cron" in it.wait_for("trouble")["why"]
        (root / "tidemill.toml").write_text('[schedules.yearly]\ncron = "@yearly"\n')
        assert it.wait_for("settings") == {"schedules": 1}
        assert it.end() == 0
    assert up(root) == 0


def up(root: Path) -> int:
    with open_project(root) as project:
        return sum(part.state(utc_now()) == "up" for part in list_parts(project.db))


def test_a_failed_slot_gives_its_exit_status_to_cron(yearly: Path) -> None:
    (yearly / "sql" / "bad.sql").write_text("CREATE TABLE bad AS SELECT 1 AS a FROM numbers WHERE nothing")

    failed = once(yearly)

    assert failed.returncode == 3
    assert json.loads(failed.stdout.splitlines()[-1])["ended"]["status"] == "failed"


def test_a_slot_is_done_although_nobody_reads_what_is_said(yearly: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run([*COMMAND, "--once", "--project", str(yearly)], stdout=gone, check=False, timeout=120)

    assert done.returncode == 0
    assert [(row.status, row.attempt) for row in slots(yearly)] == [("ok", 1)]


def test_a_name_that_is_no_schedule_is_refused_with_the_nearest(yearly: Path) -> None:
    refused = subprocess.run(
        [*COMMAND[:-1], "--once", "yerly", "--project", str(yearly)], capture_output=True, text=True, check=False
    )

    assert refused.returncode == 5
    assert "did you mean yearly?" in refused.stderr
