"""No command, record or message tells a value of a person who is erased; it stands where the user typed it."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.erase.world import ANN, BY_MAIL, Shop, places_of, settle, write_people

from tidemill.cli.main import run_command
from tidemill.core.clock import Clock, utc_now
from tidemill.doctor_project import erasures as late
from tidemill.governance.subject import read_value
from tidemill.governance.texts import Words
from tidemill.project import open_project
from tidemill.warehouse.control import audit

COMMANDS = [
    ["erase", BY_MAIL],
    ["erase", BY_MAIL, "--yes", "--why", f"{ANN} asked"],
    ["erase", BY_MAIL, "--yes", "--now", "--json"],
    ["erase"],
    ["run", "--full-refresh", "people", "--log", "json"],
    ["maintain"],
    ["models", "buyers", "2"],
    ["doctor"],
    ["audit"],
    ["erase", "--take-back", "1"],
]


def test_no_command_says_the_value_and_no_record_keeps_it(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.log(shop.answer(1, keys=[ANN]))
    write_people(shop.root, ann_age=91, more=())
    settle(shop.root)

    for command in COMMANDS:
        run_command(command)
        said = capsys.readouterr()
        assert not Words([ANN]).stand_in(said.out + said.err), command

    assert places_of(shop.root) == ["people.csv"]
    assert audit.verify(shop.project.db) == []
    done = [row for row in audit.rows(shop.project.db) if row.action == "erase"]
    assert {(row.object, row.why) for row in done} == {
        (f"erasure {shop.project.erasures()[0].erasure_id}", "[erased] asked")
    }


def test_what_is_told_while_it_goes_on_names_nobody(shop: Shop) -> None:
    told: list[str] = []

    shop.erase(listen=told.append)

    assert told[:3] == ["collecting answers", "taking values out of texts", "taking rows out of tables"]
    assert ANN not in " ".join(told)


def test_values_come_from_a_file_or_a_pipe_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "who.txt").write_text(f"{BY_MAIL}\n\n customer=5007 \n")
    assert run_command(["erase", "--from", str(tmp_path / "who.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["found"]["rows"] == {"people": 4, "visits": 4}

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{BY_MAIL}\n"))
    assert run_command(["erase", "--from", "-", "--yes", "--now", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["number"], told["status"], told["removed"]) == (1, "done", {"people": 2, "visits": 2})


@pytest.mark.parametrize("name", ["empty.txt", "missing.txt", "bytes.txt"])
def test_a_file_that_names_nobody_is_refused(shop: Shop, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.root / "empty.txt").write_text("\n\n")
    (shop.root / "bytes.txt").write_bytes(b"email=\xff\xfe\n")

    assert run_command(["erase", "--from", name, "--yes"]) == (2 if name == "empty.txt" else 4)

    assert name in capsys.readouterr().err
    assert not shop.ledger.exists()


def test_an_erasure_that_is_not_proved_in_time_is_late_and_doctor_says_why(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(shop.root, "[erase]\ndays = 7\nledger = 'kept/ledger.jsonl'")
    assert run_command(["erase", BY_MAIL, "--yes"]) == 0
    assert "\ndue " in capsys.readouterr().out
    assert (shop.root / "kept" / "ledger.jsonl").exists()
    assert run_command(["erase"]) == 0
    assert "open, due " in capsys.readouterr().out

    with open_project(shop.root, clock=Clock(now=lambda: utc_now() + timedelta(days=8))) as project:
        findings = list(late(project))
        assert [one.status for one in findings] == ["bad"]
        assert "erasure 1 is due since " in findings[0].detail
        assert "files with the rows go" in findings[0].detail
        assert [one.status for one in project.end_erasures(now=True)] == ["done"]
        assert list(late(project)) == []


def test_two_people_are_two_erasures_and_one_person_asked_for_twice_is_one(shop: Shop) -> None:
    for mail in (BY_MAIL, "email=p000@example.org", BY_MAIL):
        shop.erase(mail)

    assert [one.number for one in shop.project.erasures()] == [1, 2]
    assert [one.columns for one in shop.project.erasures()] == [("email",)] * 2
    assert read_value(BY_MAIL).text not in shop.ledger.read_text()
