"""A monitor that is killed anywhere, whose clock jumps, and that is asked to begin anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from tests.api.conftest import until
from tests.conftest import Jumps
from tests.faults.test_paused import state_of
from tests.watch.world import BEGIN, DAY, Shop

from tidemill.core.faults import VARIABLE

HOUR = timedelta(hours=1)
ONE_LOOK = """
import sys
from datetime import datetime
from tidemill.core.clock import Clock
from tidemill.project import open_project
at = datetime.fromisoformat(sys.argv[1])
with open_project(".", clock=Clock(now=lambda: at)) as project:
    for one in project.monitor(wait_s=60):
        assert one.error is None, one.error
"""


def child(shop: Shop, at: Any, fault: str = "") -> int:
    """One pass in a process of its own; its exit status."""
    environment = {**os.environ, VARIABLE: fault} if fault else dict(os.environ)
    return subprocess.run(
        [sys.executable, "-c", ONE_LOOK, at.isoformat()], cwd=shop.root, env=environment, check=False, timeout=120
    ).returncode


def written(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    """Everything a monitor has said, without when and by which run."""
    figures = {name: shop.query(f"SELECT * FROM tidemill.{name}") for name in ("drift", "performance")}
    windows = "SELECT window_start, version, answers, labelled, quality_judged_at IS NOT NULL AS judged"
    alerts = "SELECT deployment, state, severity, cause, headline, since, opened_at FROM tidemill.alerts"
    return {
        **figures,
        "windows": shop.query(f"{windows} FROM tidemill.windows"),
        "alerts": shop.query(alerts),
    }


@pytest.fixture
def two_days(shop: Shop) -> Shop:
    """Two days of answers with their labels; on the second a unit is wrong."""
    hundredfold = {"seconds": lambda values: [None if one is None else one * 100 for _, one in values]}
    for day in range(2):
        ids = shop.answer(shop.visitors(200, **(hundredfold if day else {})), BEGIN + day * DAY)
        shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + (day + 1) * DAY)
    shop.project.collect()
    return shop


@pytest.mark.parametrize("point", ["monitor.measured:kill:1", "monitor.judged:kill:2", "monitor.measured:kill:3"])
def test_a_pass_that_was_killed_is_made_good_by_the_next(two_days: Shop, point: str) -> None:
    at = BEGIN + 2 * DAY + HOUR

    assert child(two_days, at, fault=point) == -9
    assert child(two_days, at + HOUR) == 0
    after_a_kill = written(two_days)
    forget(two_days)
    assert child(two_days, at + HOUR) == 0

    assert after_a_kill == written(two_days)
    assert [row["severity"] for row in after_a_kill["alerts"]].count("page") == 1


def test_what_is_measured_from_scratch_is_what_was_measured_as_it_came(shop: Shop) -> None:
    for day in range(3):
        ids = shop.answer(shop.visitors(150), BEGIN + day * DAY)
        shop.monitor(BEGIN + (day + 1) * DAY + HOUR)
        shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + (day + 1) * DAY + 2 * HOUR)
    shop.monitor(BEGIN + 4 * DAY + HOUR)
    as_it_came = written(shop)
    forget(shop)
    shop.monitor(BEGIN + 4 * DAY + HOUR)

    assert written(shop) == as_it_came


def test_a_clock_that_ran_ahead_leaves_no_window_unmeasured(shop: Shop) -> None:
    shop.answer(shop.visitors(120), BEGIN)
    shop.monitor(BEGIN + 5 * DAY + HOUR)
    for day in (1, 2):
        shop.answer(shop.visitors(120), BEGIN + day * DAY)
    (first,) = shop.monitor(BEGIN + 2 * DAY + HOUR)
    (second,) = shop.monitor(BEGIN + 3 * DAY + HOUR)

    assert [window.start for window in first.windows] == [BEGIN, BEGIN + DAY]
    assert BEGIN + 2 * DAY in [window.start for window in second.windows]
    answers = {row["window_start"]: row["answers"] for row in shop.query("SELECT * FROM tidemill.windows")}
    assert [answers[(BEGIN + day * DAY).replace(tzinfo=None)] for day in range(3)] == [120, 120, 120]


def test_answers_that_come_late_into_the_log_are_measured_in_their_window(shop: Shop) -> None:
    shop.answer(shop.visitors(120), BEGIN)
    shop.monitor(BEGIN + DAY + HOUR)
    shop.answer(shop.visitors(80), BEGIN + 2 * HOUR)
    shop.monitor(BEGIN + DAY + 2 * HOUR)

    (window,) = shop.query("SELECT answers FROM tidemill.windows")
    assert window["answers"] == 200
    figures = shop.query("SELECT DISTINCT rows FROM tidemill.drift WHERE family = 'missing'")
    assert figures == [{"rows": 200}]


def test_fault_14_a_monitor_that_was_stopped_says_nothing_once_another_has_looked(two_days: Shop) -> None:
    at = BEGIN + 2 * DAY + HOUR
    with subprocess.Popen(
        [sys.executable, "-c", ONE_LOOK, at.isoformat()],
        cwd=two_days.root,
        env={**os.environ, VARIABLE: "monitor.measured:stop"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until(lambda: state_of(process.pid) == "T")
            two_days.monitor(at + HOUR)
            said = written(two_days)
            process.send_signal(signal.SIGCONT)
            last_words = process.communicate(timeout=300)[1]
        finally:
            process.kill()

    assert process.returncode == 1
    assert "lost the lease" in last_words
    assert written(two_days) == said


LOOKS = """
import os, pathlib
from tidemill.project import open_project
hands = pathlib.Path(os.environ["FAKETIME_TIMESTAMP_FILE"])
with open_project(".") as project:
    for moment in ("03-03 01:00:00", "03-08 01:00:00", "03-04 01:00:00", "03-06 01:00:00"):
        hands.write_text(f"@2026-{moment}")
        for one in project.monitor(wait_s=60):
            assert one.error is None, one.error
            print(moment, [f"{window.start:%m-%d}" for window in one.windows], flush=True)
"""


def test_fault_15_a_monitor_under_a_clock_that_jumps_measures_each_day_and_opens_one_alert_at_most(
    shop: Shop, jumps: Jumps
) -> None:
    for day in range(4):
        shop.answer(shop.visitors(120), BEGIN + day * DAY)
    shop.project.collect()

    looked = subprocess.run(
        [sys.executable, "-c", LOOKS],
        cwd=shop.root,
        env=os.environ | jumps.environment | {"TZ": "UTC"},
        check=False,
        timeout=300,
        capture_output=True,
        text=True,
    )

    assert looked.returncode == 0, looked.stderr
    answers = {row["window_start"]: row["answers"] for row in shop.query("SELECT * FROM tidemill.windows")}
    assert [answers[(BEGIN + day * DAY).replace(tzinfo=None)] for day in range(4)] == [120] * 4
    assert [row["cause"] for row in written(shop)["alerts"]] == ["traffic"]  # of the days that had not come


def test_fault_61_labels_of_one_class_alone_open_no_alarm_about_quality(shop: Shop) -> None:
    for day in range(6):
        ids = shop.answer(shop.visitors(300), BEGIN + day * DAY)
        shop.label({id_: "true" for id_ in ids if shop.truth[id_] == "true"}, BEGIN + (day + 1) * DAY)
        shop.monitor(BEGIN + (day + 1) * DAY + HOUR)

    told = written(shop)
    assert all(0 < row["labelled"] < row["answers"] for row in told["windows"])
    assert told["alerts"] == []
    quality = [row for row in told["performance"] if row["family"] == "quality"]
    assert {row["note"] for row in quality if row["test"] == "loss"} == {
        "all labels that came are of one class, and not every answer has one"
    }
    assert {"recall", "accuracy"} <= {row["metric"] for row in quality if row["value"] is not None}


def test_fault_62_a_column_of_nulls_and_then_silence_are_each_one_alert(shop: Shop) -> None:
    shop.answer(shop.visitors(300), BEGIN)
    for day in (1, 2):
        shop.answer(shop.visitors(300, seconds=lambda values: [None for _ in values]), BEGIN + day * DAY)
    shop.monitor(BEGIN + 3 * DAY + HOUR)
    nulls = written(shop)["alerts"]
    shop.monitor(BEGIN + 6 * DAY + HOUR)

    assert [(row["severity"], row["cause"]) for row in nulls] == [("page", "source visits")]
    assert "seconds" in nulls[0]["headline"]
    causes = [row["cause"] for row in written(shop)["alerts"]]
    assert sorted(causes) == ["source visits", "traffic"]


def test_fault_67_three_days_off_are_caught_up_with_one_alert_and_one_request(shop: Shop) -> None:
    path = shop.root / "tidemill.toml"
    retrain = '[deployments.buyers.retrain]\non = ["quality"]\n'
    path.write_text(path.read_text() + '\n[alerts.ops]\nkind = "log"\n' + retrain)
    shop.reopen()
    hundredfold = {"seconds": lambda values: [None if one is None else one * 100 for _, one in values]}
    for day in range(4):
        ids = shop.answer(shop.visitors(300, **(hundredfold if day else {})), BEGIN + day * DAY)
        turned = {"true": "false", "false": "true"} if day else {"true": "true", "false": "false"}
        shop.label({id_: turned[shop.truth[id_]] for id_ in ids}, BEGIN + (day + 1) * DAY)

    (found,) = shop.monitor(BEGIN + 4 * DAY + HOUR)
    (after,) = shop.monitor(BEGIN + 4 * DAY + 2 * HOUR)

    assert len(found.windows) == 4
    assert (after.windows, after.happened) == ((), ())
    alerts = written(shop)["alerts"]
    assert [row["severity"] for row in alerts].count("page") == 1
    assert len(shop.query("SELECT * FROM tidemill.retrain_requests")) == 1


def forget(shop: Shop) -> None:
    """Take away everything a monitor has written."""
    tables = ("alert_deliveries", "alert_events", "alert_verdicts", "alerts")
    with shop.project.db.write() as tx:
        known = [name for name in tables if tx.has_table(name)]
        for name in (*known, "measurements", "window_distributions", "monitor_windows", "monitor_states"):
            tx.execute(f"DELETE FROM {name}")
