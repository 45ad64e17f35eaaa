"""Windows written down: alerts, what happened to them, the messages for sinks, and what people say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.monitoring.conftest import Hands

from tidemill.core.alerting import sink_settings
from tidemill.core.errors import NotFoundError, SettingsError
from tidemill.monitoring.alert import NOBODY, Contact, Transition
from tidemill.monitoring.budget import Policy
from tidemill.monitoring.history import load_history
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.people import acknowledge, mute, rate, unmute
from tidemill.monitoring.record import record
from tidemill.monitoring.verdict import Key
from tidemill.monitoring.words import evidence_line, plain_text
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.alerts import get_alert, list_alerts, list_events
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.system.read import TABLES, read_table

START = datetime(2026, 3, 1, tzinfo=UTC)
SINKS = sink_settings(
    {"file": {"kind": "log"}, "others": {"kind": "log", "deployments": ["other"]},
     "ends": {"kind": "log", "send": ["resolved"]}},
    lambda _: None,
)  # fmt: skip
See = Callable[..., Sequence[Transition]]


def burst(subject: str = "age", *, value: float = 0.4, **more: Any) -> Measurement:
    given = {"low": value - 0.1, "high": value + 0.1, "p_value": 1e-9, "limit": 0.05, "rows": 1_000}
    return Measurement(family="missing", subject=subject, test="share", value=value, **(given | more))


def fine(subject: str = "age") -> Measurement:
    return burst(subject, value=0.001, low=-0.01, high=0.01, p_value=0.7)


@pytest.fixture
def see(db: Database, hands: Hands) -> See:
    def see(number: int, *measurements: Measurement, deployment: str = "churn") -> Sequence[Transition]:
        window = Window(start=START + timedelta(days=number), end=START + timedelta(days=number + 1))
        clock = hands.clock()
        return record(db, deployment, window, measurements, policy=Policy(), sinks=SINKS, clock=clock)

    return see


def messages(db: Database) -> list[tuple[str, str]]:
    with db.read() as tx:
        rows = tx.rows("SELECT sink, happening FROM alert_deliveries ORDER BY created_at, happening, sink")
    return [(row["sink"], row["happening"]) for row in rows]


def test_an_alert_is_written_with_its_evidence_chart_and_next_step(db: Database, see: See) -> None:
    see(0, fine(), fine("income"))
    see(1, burst(source="customers"), fine("income"))
    see(2, burst(source="customers"), burst("income", source="customers"))

    (alert,) = list_alerts(db)

    assert (alert.number, alert.state, alert.severity, alert.cause) == (1, "open", "page", "source customers")
    assert alert.headline == "churn: age: the share of missing values changed (from table customers)"
    assert (alert.since, alert.opened_at) == (START + timedelta(days=1), START + timedelta(days=3))
    assert [(one["subject"], one["value"], one["limit"]) for one in alert.evidence] == [("age", 0.4, 0.05)]
    assert [one["value"] for one in alert.chart["windows"]] == [0.001, 0.4, 0.4]
    assert "predictions go on" in alert.next_step


def test_an_alert_about_two_columns_has_a_chart_and_a_next_step_of_each(db: Database, see: See) -> None:
    for number, value in enumerate([0.001, 0.4, 0.5]):
        broken = burst("price", value=value, source="shop", p_value=0.7 if value < 0.1 else 1e-12)
        see(number, replace(broken, family="contract"), burst("age", value=value, low=value - 0.001, source="shop"))

    (alert,) = list_alerts(db)

    assert alert.headline == "churn: price: not as promised; age: the share of missing values changed (from table shop)"
    assert [chart["title"] for chart in (alert.chart, *alert.chart["others"])] == ["share of price", "share of age"]
    first, second = alert.next_step.split("\n")
    assert first.startswith("price: look at the rows")
    assert second.startswith("age: ask whoever fills the column")
    with db.read() as tx:
        told = json.loads(
            tx.value("SELECT message FROM alert_deliveries WHERE happening = 'widened' AND sink = 'file'")
        )
    assert f"next: {first}\n      {second}\n" in plain_text(told)
    assert "others" not in told["chart"]


def test_owner_and_runbook_are_those_of_the_settings_now(db: Database, hands: Hands) -> None:
    def see(number: int, contact: Contact) -> None:
        window = Window(start=START + timedelta(days=number), end=START + timedelta(days=number + 1))
        clock = hands.clock()
        record(db, "churn", window, [burst()], policy=Policy(), sinks=SINKS, clock=clock, contact=contact)

    see(0, NOBODY)
    see(1, Contact(owner="ada"))
    assert (get_alert(db, 1).owner, get_alert(db, 1).runbook) == ("ada", "")
    see(2, Contact(owner="ben", runbook="https://wiki.example.org/churn"))

    (row,) = read_table(db, TABLES["alerts"]).to_pylist()
    with db.read() as tx:
        told = tx.value("SELECT message FROM alert_deliveries WHERE sink = 'file'")
    assert (row["owner"], row["runbook"]) == ("ben", "https://wiki.example.org/churn")
    assert (json.loads(told)["owner"], json.loads(told)["runbook"]) == ("ada", "")


def test_events_and_messages_tell_each_thing_once(db: Database, see: See) -> None:
    for number, loud in enumerate([0, 1, 1, 1, 0, 0, 0]):
        see(number, burst() if loud else fine())
        see(number, burst() if loud else fine())

    assert [(one.happening, one.detail) for one in list_events(db, 1)] == [
        ("opened", "churn: age: the share of missing values changed"),
        ("resolved", "3 windows without a breach"),
    ]
    assert messages(db) == [("file", "opened"), ("ends", "resolved"), ("file", "resolved")]
    assert get_alert(db, 1).evidence[0]["value"] == 0.4


def test_the_past_is_that_of_the_deployment_itself(db: Database, see: See) -> None:
    see(0, burst(), deployment="churn")
    see(1, burst(), deployment="other")

    assert list_alerts(db) == []
    assert [one.deployment for one in list_alerts(db, deployment="CHURN")] == []


def test_late_families_are_kept_beside_what_the_window_had_before(db: Database, see: See) -> None:
    worse = Measurement(family="quality", subject="accuracy", test="accuracy", value=0.2, p_value=1e-9, limit=0.03)
    see(0, burst(), fine("income"))
    see(0, worse)
    see(1, burst(), worse)

    assert {one.cause for one in list_alerts(db)} == {"missing", "quality"}


def test_one_column_judged_again_leaves_the_other_columns_of_its_window(db: Database, see: See) -> None:
    see(0, burst(), burst("income"))
    see(0, burst())
    see(1, burst(), burst("income"))

    (alert,) = list_alerts(db)
    assert {one[1] for one in alert.figures} == {"age", "income"}


@pytest.mark.parametrize(("version", "back"), [(1, False), (2, True), (None, True)])
def test_before_a_first_version_there_is_none_to_go_back_to(
    db: Database, see: See, version: int | None, back: bool
) -> None:
    worse = Measurement(
        family="quality", subject="accuracy", test="loss", value=0.2, p_value=1e-9, limit=0.03, version=version
    )
    for number in range(2):
        see(number, worse)

    with db.read() as tx:
        told = json.loads(tx.value("SELECT message FROM alert_deliveries WHERE sink = 'file'"))
    assert ("earlier version" in get_alert(db, 1).next_step) == back
    assert told["next_step"] == get_alert(db, 1).next_step


def test_diagnoses_are_listed_and_never_sent(db: Database, see: See) -> None:
    moved = Measurement(family="feature", subject="age", test="psi", value=0.5, p_value=1e-9, limit=0.1)
    for number in range(3):
        see(number, moved)

    assert [one.severity for one in list_alerts(db)] == ["diagnosis"]
    assert messages(db) == []


def test_a_muted_cause_is_silent_until_its_end_also_in_its_next_alert(db: Database, see: See, hands: Hands) -> None:
    see(0, burst())
    see(1, burst())
    with pytest.raises(SettingsError, match="needs a reason"):
        mute(db, 1, until=START + timedelta(days=400), who="ada", why=" ")
    mute(db, 1, until=datetime.now(UTC) + timedelta(days=3), who="ada", why="we are moving the table")
    for number in range(2, 5):
        see(number, fine())
    for number in range(20, 22):
        see(number, burst())

    assert [one.state for one in list_alerts(db)] == ["open", "resolved"]
    assert messages(db) == [("file", "opened")]

    hands.now = datetime.now(UTC) + timedelta(days=4)
    for number in range(22, 25):
        see(number, fine())
    assert messages(db)[1:] == [("ends", "resolved"), ("file", "resolved")]


def test_a_column_that_joins_a_muted_alert_is_heard(db: Database, see: See) -> None:
    age, income = burst(source="customers"), burst("income", source="customers")
    see(0, age)
    see(1, age)
    mute(db, 1, until=datetime.now(UTC) + timedelta(days=3), who="ada", why="age is known")
    see(2, age, income)
    see(3, age, income)

    assert messages(db) == [("file", "opened"), ("file", "widened")]

    for number in range(4, 8):
        see(number, fine(), income)
    mute(db, 1, until=datetime.now(UTC) + timedelta(days=3), who="ada", why="income is known too")
    see(8, fine(), income)
    see(9, burst(source="customers"), income)
    see(10, burst(source="customers"), income)
    assert messages(db)[2:] == [("file", "widened")]


def test_what_became_far_worse_is_sent_with_a_line_that_says_so_and_kept_over_a_mute(
    db: Database, see: See, hands: Hands
) -> None:
    def bad(value: float) -> Measurement:
        return burst(value=value, low=value - 0.02, high=value + 0.02)

    for number, value in enumerate([0.1, 0.1, 0.2]):
        see(number, bad(value))
        see(number, bad(value))
    assert messages(db) == [("file", "opened"), ("file", "worsened")]
    with db.read() as tx:
        told = json.loads(tx.value("SELECT message FROM alert_deliveries WHERE happening = 'worsened'"))
    said = "far worse than was told: share of age 0.2, it was 0.1"
    assert plain_text(told).splitlines()[2:4] == ["worsened; first seen in the window from 2026-03-01 00:00 UTC", said]
    assert [one.detail for one in list_events(db, 1) if one.happening == "worsened"] == [said]

    hands.now = datetime.now(UTC)
    mute(db, 1, until=hands.now + timedelta(days=3), who="ada", why="known")
    assert [one.happening for one in see(3, bad(0.8))] == ["continuing"]
    hands.move(4 * 86_400)
    assert [one.happening for one in see(4, bad(0.8))] == ["worsened"]
    assert messages(db)[2:] == [("file", "worsened")]


def test_a_chance_too_small_to_be_told_is_not_said_to_be_nothing(db: Database, see: See) -> None:
    see(0, burst(p_value=0.0))
    see(1, burst(p_value=0.0))

    (one,) = get_alert(db, 1).evidence
    assert "p < 1e-15" in evidence_line(one)


def test_what_people_say_stays_through_later_windows_and_in_the_audit_trail(db: Database, see: See) -> None:
    see(0, burst())
    see(1, burst())
    acknowledge(db, 1, who="ada", why="looking")
    mute(db, 1, until=datetime.now(UTC) + timedelta(hours=1), who="ada", why="known")
    unmute(db, 1, who="ben")
    rate(db, 1, useful=True, who="ada", why="a real fault")
    see(2, burst())

    alert = get_alert(db, 1)

    assert (alert.acknowledged_by, alert.acknowledged_why, alert.useful) == ("ada", "looking", True)
    assert alert.muted_until is None
    done = [(row.who, row.action) for row in audit.rows(db, object="alert 1")]
    assert done == [("ada", "alert acknowledged"), ("ada", "alert muted"), ("ben", "alert unmuted"),
                    ("ada", "alert useful")]  # fmt: skip
    assert audit.verify(db) == []


def test_what_was_not_useful_needs_a_larger_effect_and_what_was_useful_does_not(db: Database, see: See) -> None:
    see(0, burst())
    see(1, burst())
    _, least = rate(db, 1, useful=False, who="ada")
    assert [round(value, 3) for value in least.values()] == [0.4]
    for number in range(2, 12):
        see(number, burst())
    assert get_alert(db, 1).state == "resolved"

    see(12, burst(value=0.8))
    see(13, burst(value=0.8))
    assert [one.state for one in list_alerts(db)] == ["open", "resolved"]
    _, least = rate(db, 1, useful=True, who="ada", why="it was one after all")
    assert least == {}


def test_an_opinion_on_quality_makes_the_least_loss_twice_as_large_at_most(db: Database, see: See) -> None:
    def fell(value: float) -> Measurement:
        return replace(burst("roc_auc", value=value, limit=0.03), family="quality", test="loss")

    see(0, fell(0.75))
    see(1, fell(0.75))
    _, least = rate(db, 1, useful=False, who="ada", why="two labels were wrong")
    assert list(least.values()) == [0.06]
    for number in range(2, 12):
        see(number, fell(0.0))
    assert get_alert(db, 1).state == "resolved"

    see(12, fell(0.4))
    see(13, fell(0.4))
    _, least = rate(db, 2, useful=False, who="ada")
    assert list(least.values()) == [0.12]
    _, least = rate(db, 2, useful=True, who="ada", why="it was one after all")
    assert list(least.values()) == [0.06]


def test_an_alert_that_is_not_there_is_said_to_be_none(db: Database) -> None:
    with pytest.raises(NotFoundError, match="there is no alert 7"):
        acknowledge(db, 7, who="ada")


def test_alerts_events_and_messages_are_tables(db: Database, see: See) -> None:
    see(0, burst())
    see(1, burst())

    rows = [read_table(db, TABLES[name]).to_pylist() for name in ("alerts", "alert_events", "alert_deliveries")]

    assert [len(one) for one in rows] == [1, 1, 1]
    assert rows[0][0]["useful"] is None
    assert rows[2][0]["status"] == "waiting"


def test_a_past_that_is_kept_in_memory_is_the_one_that_is_written_down(db: Database, hands: Hands) -> None:
    policy = Policy()
    history = load_history(db, "churn")
    days = [number for number in range(75) if number % 9 != 4] + [70, 30, 4, 74]  # some come late, some again
    for number in days:
        window = Window(start=START + timedelta(days=number), end=START + timedelta(days=number + 1))
        for figures in ([burst() if number % 11 < 3 else fine(), fine(f"c{number % 2}")], [fine("other")]):
            with db.write() as tx:
                record(tx, "churn", window, figures, policy=policy, sinks=SINKS, clock=hands.clock(), history=history)

    assert list_alerts(db, deployment="churn")
    assert history.series == load_history(db, "churn").series
    assert len(history.series[Key("missing", "age", "", "share")]) == 60
