"""Erasures that are killed, that meet work of others, and that a backup takes back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import finish, start_server
from tests.erase.world import ANN, BY_MAIL, places_of, write_people
from tests.faults.test_commands_killed import run
from tests.faults.test_paused import stopped_at

from tidemill.cli.main import run_command
from tidemill.project import open_project
from tidemill.runner.batch.request import BATCH_ROWS

ERASE = ("erase", BY_MAIL, "--yes", "--now")
SERVE = [sys.executable, "-m", "tidemill.cli.main", "serve", "--json", "--no-collect", "--port", "0", "--project"]


def rows(root: Path, sql: str) -> list[Any]:
    with open_project(root) as project:
        return project.sql(sql).fetchall()


def statuses(root: Path) -> list[tuple[str, list[str]]]:
    with open_project(root) as project:
        return [(one.status, list(one.waiting)) for one in project.erasures()]


def flags(root: Path) -> list[int]:
    with open_project(root) as project:
        return [one.version for one in project.flagged()]


def require_gone(root: Path) -> None:
    """Proved, and true."""
    assert statuses(root) == [("done", [])]
    assert places_of(root / ".tidemill") == []
    with open_project(root) as project:
        assert project.verify() == []
        assert project.sql("SELECT count(*) FROM people").fetchall() == [(302,)]


@pytest.mark.parametrize(
    ("point", "ends"),
    [
        ("erase.moved", "maintain"),
        ("erase.before_commit", "erase"),
        ("erase.after_commit", "maintain"),
        ("erasing.removed", "maintain"),
        ("erasing.cleaned", "maintain"),
    ],
)
def test_an_erasure_killed_anywhere_is_open_and_ended_later(people: Path, point: str, ends: str) -> None:
    killed = run(people, *ERASE, fault=f"{point}:kill")

    assert killed.returncode == -signal.SIGKILL
    assert "gone" not in killed.stdout
    assert [status for status, _ in statuses(people)] == ["open"]

    again = ERASE if ends == "erase" else ("maintain",)
    assert run_command([*again, "--project", str(people)]) == 0

    require_gone(people)
    assert flags(people) == [1, 2]


def test_an_erasure_waits_for_a_training_and_the_training_carries_it_out(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(people, ann_age=91)
    statements = people / "sql" / "all.sql"
    statements.write_text(statements.read_text().replace("max_iterations = 5", "max_iterations = 6", 1))
    with stopped_at(people, "register.before_commit", "run", "buyers") as training:
        assert run_command([*ERASE, "--project", str(people)]) == 0
        said = capsys.readouterr().out
        assert "erasure 1 is asked for, and waits: " in said
        assert f"process {training.pid}" in said
        ((status, waiting),) = statuses(people)
        assert status == "open"
        assert "it is carried out when that is over" in waiting[0]
        assert rows(people, "SELECT count(*) FROM people") == [(303,)]
        training.send_signal(signal.SIGCONT)
        errors = training.communicate(timeout=120)[1]

    assert training.returncode == 0, errors
    require_gone(people)
    assert flags(people) == [1, 2, 3]
    assert (
        rows(people, "SELECT rows_train + rows_eval FROM tidemill.model_versions WHERE name = 'buyers'") == [(303,)] * 3
    )


def test_an_erasure_waits_for_a_batch_and_the_next_run_carries_it_out(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("predict", "buyers", "--input", "people", "--output", "scored")
    with stopped_at(people, "batch.after_chunk", *words) as scoring:
        assert run_command([*ERASE, "--project", str(people)]) == 0
        assert f"waits: a batch is scored by process {scoring.pid}" in capsys.readouterr().out
        assert rows(people, "SELECT count(*) FROM people") == [(303,)]
        scoring.send_signal(signal.SIGCONT)
        errors = scoring.communicate(timeout=120)[1]
    assert scoring.returncode == 0, errors
    write_people(people, ann_age=91)  # as it was: nothing is to be built
    assert run_command(["run", "--project", str(people)]) == 0

    require_gone(people)
    assert rows(people, "SELECT count(*), count(*) FILTER (email = 'ann@example.org') FROM scored") == [(302, 0)]


def test_a_batch_that_was_killed_begins_anew_after_an_erasure(people: Path) -> None:
    with open_project(people) as project:
        project.sql("CREATE TABLE often AS SELECT people.* FROM people, range(220) ORDER BY ALL")
    words = ("predict", "buyers", "--input", "often", "--output", "scored", "--chunk-rows", str(BATCH_ROWS))
    assert run(people, *words, fault="batch.after_chunk:kill").returncode == -signal.SIGKILL
    assert run(people, *ERASE).returncode == 0

    assert run(people, *words).returncode == 0

    assert rows(people, "SELECT count(*), count(DISTINCT email) FROM scored") == [(302 * 220, 302)]
    require_gone(people)


PARTS = {
    "everything": "*",
    "the control database": "control.sqlite*",
    "the lake": "lake",
}


def put_back(keep: Path, kept: Path, pattern: str) -> None:
    """Put what a pattern names in the place of what is there."""
    for path in keep.glob(pattern):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in kept.glob(pattern):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, keep / path.name)


@pytest.fixture(params=PARTS)
def restored(request: pytest.FixtureRequest, people: Path, tmp_path: Path) -> Path:
    """A project of which an older backup was put back, whole or in part, after Ann was erased."""
    kept = tmp_path / "backup"
    shutil.copytree(people / ".tidemill", kept)
    assert run(people, *ERASE).returncode == 0
    put_back(people / ".tidemill", kept, PARTS[request.param])
    assert places_of(people / ".tidemill") != []
    return people


def test_whom_a_backup_brought_back_doctor_tells_and_a_run_erases_again_before_it_builds(
    restored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ANN not in (restored / "erasures.jsonl").read_text()
    run_command(["doctor", "--project", str(restored)])
    assert "a backup brought back whom 1 erasure of the ledger took out" in capsys.readouterr().out

    write_people(restored, ann_age=91)
    assert run_command(["run", "--project", str(restored)]) == 0

    assert "a backup was put back: 1 erasure of the ledger carried out again" in capsys.readouterr().err
    require_gone(restored)


@pytest.mark.parametrize("restored", ["the control database"], indirect=True)
def test_whom_a_backup_brought_back_maintain_erases_again(restored: Path) -> None:
    assert run_command(["maintain", "--project", str(restored)]) == 0

    require_gone(restored)
    with open_project(restored) as project:
        assert [one.who for one in project.erasures()] == ["ann"]


@pytest.mark.parametrize("restored", ["the lake"], indirect=True)
def test_whom_a_backup_brought_back_a_server_erases_before_it_says_that_it_is_ready(restored: Path) -> None:
    with (restored / "server.err").open("w") as errors:
        process = subprocess.Popen([*SERVE, str(restored)], stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        assert "ready" in json.loads(process.stdout.readline())
        told = json.loads((restored / "server.err").read_text().splitlines()[0])
        assert told == {"erased again": {"erasures": 1}}
        require_gone(restored)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        process.stdout.close()


@pytest.mark.parametrize("restored", ["everything"], indirect=True)
def test_nobody_is_served_while_whom_a_backup_brought_back_cannot_be_erased(
    restored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tidemill.runner.erase.again.WAIT_S", 0.1)
    command = ["serve", "--no-collect", "--port", "0", "--project", str(restored)]
    with stopped_at(restored, "erase.moved", "maintain") as other:
        for _ in range(2):
            assert run_command(command) == 7
            said = capsys.readouterr()
            assert "serving at" not in said.out
            assert f"process {other.pid}" in said.err
        assert "a backup brought them back" in " ".join(statuses(restored)[0][1])

    assert run_command(["maintain", "--project", str(restored)]) == 0  # that process was killed
    require_gone(restored)


def test_a_servers_answers_are_waited_for_and_gone_when_it_is_stopped(people: Path) -> None:
    server = start_server(people, "--workers", "1")
    try:
        row = {"email": ANN, "age": 90, "city": "NL"}
        other = {"email": "eve@example.org", "age": 20, "city": "NL"}
        for asked in (row, other):
            once = {"Idempotency-Key": f"{asked['age']}"}
            assert server.predict({"rows": [asked]}, name="buyers", headers=once).status == 200

        assert run(people, *ERASE).returncode == 0
        ((status, waiting),) = statuses(people)
        assert status == "open"
        assert "1 segment of the prediction log has their answers" in " ".join(waiting)
        assert server.predict({"rows": [other]}, name="buyers").status == 200
        assert server.end() == 0
    finally:
        finish(server)

    assert run_command(["erase", "--now", "--project", str(people)]) == 0

    require_gone(people)
    assert rows(people, "SELECT DISTINCT key FROM tidemill.predictions") == [("eve@example.org",)]
    assert places_of(people) == []
