"""tidemill alerts in a project: what is listed, shown and said, and what is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import RunCommand

from tidemill.monitoring.measurement import Measurement, Window
from tidemill.project import open_project
from tidemill.runner.alerts import record_alerts

SETTINGS = """
[alerts.file]
kind = "log"
file = "told.jsonl"

[deployments.price_model.monitor]
owner = "pricing"
runbook = "https://wiki.example.org/price"
"""
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def alarmed(project: Path) -> Path:
    """A project with an open alert about missing values, and a diagnosis of the feature behind it."""
    (project / "tidemill.toml").write_text(SETTINGS)
    with open_project(project) as opened:
        for number, value in enumerate([0.01, 0.4, 0.41, 0.42]):
            window = Window(start=START + timedelta(days=number), end=START + timedelta(days=number + 1))
            about: dict[str, Any] = {
                "subject": "items",
                "p_value": 1e-9 if value > 0.1 else 0.6,
                "rows": 900,
                "weight": 0.7,
            }
            record_alerts(
                opened.stations,
                "price_model",
                window,
                [
                    Measurement(family="missing", test="share", value=value, limit=0.05, **about),
                    Measurement(family="feature", test="psi", value=value, limit=0.1, **about),
                ],
            )
    return project


def test_open_alerts_are_listed_and_diagnoses_with_all(command: RunCommand, alarmed: Path) -> None:
    listed, everything = command("alerts"), command("alerts", "--all")

    assert "price_model: items: the share of missing values changed" in listed.out
    assert "1 other: tidemill alerts --all" in listed.out
    assert "open diagnosis" in everything.out
    assert [one["severity"] for one in command("alerts", "--all", "--json").json()["alerts"]] == ["diagnosis", "page"]


def test_an_alert_is_shown_with_evidence_chart_and_what_to_do(command: RunCommand, alarmed: Path) -> None:
    shown = command("alerts", "show", "1")

    assert shown.status == 0
    assert "items: share 0.42 beyond 0.05, p = 1.0e-09, 900 rows against training" in shown.out
    assert "items: psi 0.42, importance 70%" in shown.out
    assert "2026-03-02 00:00  ████" in shown.out
    assert "owner: pricing\nrunbook: https://wiki.example.org/price\n" in shown.out
    listed = command("alerts", "--json").json()["alerts"][0]
    assert (listed["owner"], listed["runbook"]) == ("pricing", "https://wiki.example.org/price")
    assert "next: ask whoever fills the column" in shown.out
    assert [one["happening"] for one in command("alerts", "show", "1", "--json").json()["events"]] == ["opened"]


def test_a_long_headline_is_listed_whole(command: RunCommand, alarmed: Path) -> None:
    names = [f"column_with_a_long_name_{number}" for number in range(3)]
    with open_project(alarmed) as opened:
        for number in range(4, 8):
            window = Window(start=START + timedelta(days=number), end=START + timedelta(days=number + 1))
            about: dict[str, Any] = {"family": "missing", "test": "share", "value": 0.4, "limit": 0.05, "rows": 900}
            figures = [Measurement(subject=name, p_value=1e-9, source="sales", **about) for name in names]
            record_alerts(opened.stations, "price_model", window, figures)

    listed = " ".join(command("alerts").out.split())

    assert ", ".join(names) in listed
    assert "changed (from table sales)" in listed
    assert all(f"share of {name}" in command("alerts", "show", "3").out for name in names)


def test_an_alert_is_acknowledged_muted_and_rated_with_reasons(command: RunCommand, alarmed: Path) -> None:
    assert "acknowledged by" in command("alerts", "ack", "1", "--why", "looking").out
    assert command("alerts", "mute", "1", "--for", "2 days").status != 0
    muted = command("alerts", "mute", "1", "--for", "2 days", "--why", "known").out
    assert "UTC nothing is sent about this: price_model: items: the share of missing values changed" in muted
    assert "muted" in command("alerts").out
    assert "heard again" in command("alerts", "unmute", "1").out
    assert "alert 1 is not muted" in command("alerts", "unmute", "1").out
    assert "share of items: no alert up to 0.42 from now on" in command("alerts", "useful", "1", "no").out
    actions = [row["action"] for row in command("audit", "--json").json()]
    assert actions == ["alert acknowledged", "alert muted", "alert unmuted", "alert not useful"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "no number was given"),
        (["show", "one"], "'one' is no number"),
        (["show", "9"], "there is no alert 9"),
        (["mute", "1", "--why", "x"], "needs an end"),
        (["mute", "1", "--for", "-3 days", "--why", "x"], "a length of time; got '-3 days'"),
        (["useful", "1", "maybe"], "yes or no"),
        (["test", "fil"], "did you mean file?"),
        (["test"], "name the sink"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], said: str, command: RunCommand, alarmed: Path) -> None:
    ran = command("alerts", *words)

    assert ran.status != 0
    assert said in ran.err


def test_messages_are_sent_and_a_sink_can_be_tested(command: RunCommand, alarmed: Path) -> None:
    assert "file: 1 sent" in command("alerts", "send").out
    assert "nothing is due" in command("alerts", "send").out
    assert "file: 1 sent" in command("alerts", "test", "file").out

    told = [json.loads(line) for line in (alarmed / "told.jsonl").read_text().splitlines()]
    assert [one["happening"] for one in told] == ["opened", "test"]


def test_a_sink_that_is_down_is_shown_beside_the_alerts(command: RunCommand, alarmed: Path) -> None:
    (alarmed / "tidemill.toml").write_text('[alerts.file]\nkind = "log"\nfile = "sql/told.jsonl/none"\n')
    (alarmed / "sql" / "told.jsonl").write_text("a file, not a folder")

    assert "file: " in command("alerts", "send").err
    assert "sink file is down since" in command("alerts").out


def test_a_test_of_a_sink_that_was_mended_takes_along_what_waits_there(command: RunCommand, alarmed: Path) -> None:
    right = (alarmed / "tidemill.toml").read_text()
    (alarmed / "tidemill.toml").write_text('[alerts.file]\nkind = "log"\nfile = "sql/told.jsonl/none"\n')
    (alarmed / "sql" / "told.jsonl").write_text("a file, not a folder")
    assert command("alerts", "test", "file").status == 1

    (alarmed / "tidemill.toml").write_text(right)

    assert "file: 3 sent" in command("alerts", "test", "file").out
    told = [json.loads(line) for line in (alarmed / "told.jsonl").read_text().splitlines()]
    assert [one["happening"] for one in told] == ["opened", "test", "test"]


def test_a_project_without_alerts_says_so(command: RunCommand, project: Path) -> None:
    assert command("alerts").out.strip() == "no open alerts"
