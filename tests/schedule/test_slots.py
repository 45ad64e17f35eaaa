"""Which slots are done: each at most once, whatever clocks, outages and edits do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.schedule.conftest import Moved, at

from tidemill.core.clock import Clock
from tidemill.core.errors import ConflictError, SettingsError
from tidemill.core.schedules import ACTIONS, ScheduleSettings, one_schedule
from tidemill.doctor_project import scheduler
from tidemill.schedule.actions import PERFORM
from tidemill.schedule.due import Due, again_at, due
from tidemill.schedule.perform import note
from tidemill.warehouse.control import schedules as records
from tidemill.warehouse.control.database import open_database
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import acquire, release
from tidemill.warehouse.control.parts import beating, list_parts
from tidemill.warehouse.control.schedules import SlotRow
from tidemill.warehouse.control.troubles import list_troubles

HOURLY = '[schedules.hourly]\ncron = "@hourly"\ndo = "check"\n'
Make = Callable[[str], Moved]


def schedule(**given: object) -> ScheduleSettings:
    return one_schedule("hourly", {"cron": "@hourly", **given})


def row(slot: str, status: str = "ok", **given: object) -> SlotRow:
    plain = SlotRow(
        key="hourly",
        slot=at(slot),
        name="hourly",
        action="run",
        status=status,
        attempt=1,
        passed_over=0,
        run_id=None,
        said="",
        error=None,
        fence=1,
        started_at=None,
        finished_at=None,
        again_at=None,
    )
    return replace(plain, **given)  # type: ignore[arg-type]


def test_every_action_is_bound_to_a_function() -> None:
    assert list(PERFORM) == [action.name for action in ACTIONS]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"do": "backtest"}, "no select, and backtest must be told which models"),
        ({"do": "backtest", "select": ["m"], "every": ""}, "every must be longer than nothing"),
        ({"do": "backtest", "select": ["m"], "every": "often"}, "every must be a span of time"),
        ({"do": "run", "every": "1 day"}, "every says nothing to run, only to backtest"),
        ({"do": "collect", "select": ["m"]}, "select says nothing to collect"),
        ({"do": "label"}, "do must be one of run, check"),
    ],
)
def test_what_an_action_has_no_use_for_or_lacks_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        schedule(**given)


def test_a_new_schedule_begins_when_it_is_first_seen() -> None:
    assert due(schedule(), since=at("2026-03-02 12:00"), newest=None, now=at("2026-03-02 12:59")) is None
    assert due(schedule(), since=at("2026-03-02 12:00"), newest=None, now=at("2026-03-02 13:00")) == Due(
        slot=at("2026-03-02 13:00")
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Due(slot=at("2026-03-05 12:00"), passed_over=71)),
        ({"catch_up": "all"}, Due(slot=at("2026-03-02 13:00"))),
        ({"catch_up": "all", "late_minutes": 120}, Due(slot=at("2026-03-05 11:00"), passed_over=70)),
        ({"catch_up": "none"}, Due(slot=at("2026-03-05 12:00"), passed_over=71, missed=True)),
        ({"catch_up": "none", "late_minutes": 60}, Due(slot=at("2026-03-05 12:00"), passed_over=71)),
        ({"late_minutes": 15}, Due(slot=at("2026-03-05 12:00"), passed_over=71, missed=True)),
    ],
)
def test_fault_67_after_three_days_off_the_policy_says_what_is_made_up_for(
    given: dict[str, object], expected: Due
) -> None:
    found = due(
        schedule(**given), since=at("2026-01-01 00:00"), newest=row("2026-03-02 12:00"), now=at("2026-03-05 12:30")
    )

    assert found == expected


def test_all_makes_up_for_the_newest_hundred() -> None:
    found = due(schedule(catch_up="all"), since=at("2026-03-01 00:00"), newest=None, now=at("2026-03-11 00:00"))

    assert found == Due(slot=at("2026-03-11 00:00") - timedelta(hours=99), passed_over=140)


def test_what_failed_for_a_while_is_tried_again_after_its_pause() -> None:
    failed = row("2026-03-02 12:00", "failed", again_at=at("2026-03-02 12:10"))

    def look(now: str, **given: object) -> Due | None:
        return due(schedule(**given), since=at("2026-01-01 00:00"), newest=failed, now=at(now))

    assert look("2026-03-02 12:09") is None
    assert look("2026-03-02 12:10") == Due(slot=failed.slot, again=failed)
    assert look("2026-03-02 12:40", late_minutes=30) is None
    # the next slot is worth more than the old one, unless all are asked for
    assert look("2026-03-02 13:00") == Due(slot=at("2026-03-02 13:00"))
    assert look("2026-03-02 13:00", catch_up="all") == Due(slot=failed.slot, again=failed)
    assert look("2026-03-02 13:00", catch_up="all", late_minutes=30) == Due(slot=at("2026-03-02 13:00"))


def test_pauses_double_up_to_an_hour_and_end_with_the_retries() -> None:
    now, policy = at("2026-03-02 12:00"), schedule(retries=9, retry_seconds=60)

    pauses = [again_at(policy, attempt, now) for attempt in (1, 2, 3, 9, 10)]

    assert pauses == [now + timedelta(seconds=s) for s in (60, 120, 240, 3600)] + [None]


def test_fault_67_an_outage_is_one_slot_and_says_how_many_it_passed_over(moved: Make) -> None:
    it = moved(HOURLY)

    assert it.look(at("2026-03-02 13:00")) == ["begun", "ended"]
    assert it.look(at("2026-03-05 13:30")) == ["begun", "ended"]
    assert it.look() == []

    assert it.rows("hourly") == [("03-02 13:00", "ok", 0), ("03-05 13:00", "ok", 71)]


def test_fault_67_with_all_each_slot_of_the_outage_is_done_in_its_order(moved: Make) -> None:
    it = moved(HOURLY + 'catch_up = "all"\n')

    it.look(at("2026-03-02 15:10"))

    assert it.rows("hourly") == [(f"03-02 {hour}:00", "ok", 0) for hour in (13, 14, 15)]


def test_fault_67_with_none_what_was_missed_is_said_once(moved: Make) -> None:
    it = moved(HOURLY + 'catch_up = "none"\n')

    assert it.look(at("2026-03-05 13:30")) == ["missed"]
    assert it.look(at("2026-03-05 13:31")) == []
    assert it.look(at("2026-03-05 14:05")) == ["begun", "ended"]

    assert it.rows("hourly") == [("03-05 13:00", "missed", 72), ("03-05 14:00", "ok", 0)]


def test_fault_15_a_clock_that_jumps_back_repeats_no_slot(moved: Make) -> None:
    it = moved(HOURLY)
    for moment in ("13:00", "14:00", "15:00"):
        assert it.look(at(f"2026-03-02 {moment}")) == ["begun", "ended"]

    for moment in ("14:00", "14:30", "15:00", "15:30"):
        assert it.look(at(f"2026-03-02 {moment}")) == []

    assert it.look(at("2026-03-02 16:00")) == ["begun", "ended"]
    assert it.rows("hourly") == [(f"03-02 {hour}:00", "ok", 0) for hour in (13, 14, 15, 16)]


def test_fault_15_a_clock_that_was_a_year_ahead_skips_no_slot(moved: Make) -> None:
    it = moved(HOURLY)
    it.look(at("2026-03-02 13:00"))
    it.look(at("2027-03-02 13:00"))

    it.look(at("2026-03-02 14:00"))
    it.look(at("2026-03-02 15:00"))

    assert it.rows("hourly") == [
        ("03-02 13:00", "ok", 0),
        ("03-02 14:00", "ok", 0),
        ("03-02 15:00", "ok", 0),
        ("03-02 13:00", "ok", 365 * 24 - 1),  # of 2027
    ]


def test_fault_15_a_slot_that_was_passed_over_is_not_done_after_the_clock_is_set_back(moved: Make) -> None:
    it = moved(HOURLY)
    it.look(at("2026-03-02 13:00"))
    it.look(at("2026-03-04 13:30"))

    for moment in ("03-03 13:30", "03-03 14:00", "03-04 13:00"):
        assert it.look(at(f"2026-{moment}")) == []

    assert it.look(at("2026-03-04 14:00")) == ["begun", "ended"]
    assert it.rows("hourly") == [("03-02 13:00", "ok", 0), ("03-04 13:00", "ok", 47), ("03-04 14:00", "ok", 0)]


@pytest.mark.parametrize("catch_up", ["latest", "all", "none"])
def test_what_was_passed_over_is_counted_however_much_it_is(catch_up: str) -> None:
    minutely = schedule(cron="* * * * *", catch_up=catch_up)
    since, now = at("2023-03-02 12:00"), at("2026-03-02 12:00")

    found = due(minutely, since=since, newest=None, now=now)

    assert found is not None
    done = 100 if catch_up == "all" else 1
    assert found.passed_over == (now - since) // timedelta(minutes=1) - done


def test_a_schedule_first_seen_by_a_clock_that_was_ahead_begins_when_the_clock_is_right(moved: Make) -> None:
    it = moved("")
    (it.root / "tidemill.toml").write_text(HOURLY)
    it.look(at("2027-01-01 00:00"))

    it.look(at("2026-03-02 12:30"))

    assert it.look(at("2026-03-02 13:00")) == ["begun", "ended"]


def test_what_passes_while_a_schedule_is_off_or_says_other_times_is_not_made_up_for(moved: Make) -> None:
    it = moved(HOURLY)
    (it.root / "tidemill.toml").write_text(HOURLY + "enabled = false\n")
    assert it.look(at("2026-03-03 12:10")) == []
    (it.root / "tidemill.toml").write_text(HOURLY)
    assert it.look(at("2026-03-04 12:10")) == []
    (it.root / "tidemill.toml").write_text(HOURLY.replace("@hourly", "15 * * * *"))
    assert it.look(at("2026-03-04 12:20")) == []

    assert it.look(at("2026-03-04 13:15")) == ["begun", "ended"]
    assert it.rows("hourly") == [("03-04 13:15", "ok", 0)]


def test_a_schedule_that_left_the_settings_leaves_its_slots(moved: Make) -> None:
    it = moved(HOURLY)
    it.look(at("2026-03-02 13:00"))
    (it.root / "tidemill.toml").write_text("")
    it.look(at("2026-03-02 14:00"))

    with it.open() as project:
        assert project.sql("SELECT count(*) FROM tidemill.schedules").fetchall() == [(0,)]
        assert project.sql('SELECT schedule, "do", status FROM tidemill.slots').fetchall() == [
            ("hourly", "check", "ok")
        ]


def test_upkeep_forgets_old_slots_but_not_the_newest_of_a_schedule(moved: Make) -> None:
    it = moved(HOURLY + "[maintain]\nkeep_run_days = 30\n")
    for moment in ("13:00", "14:00"):
        it.look(at(f"2026-03-02 {moment}"))

    it.moment = at("2026-05-02 14:00")
    with it.open() as project:
        assert ("forget slots", "1 older than 30 days") in [(act.action, act.detail) for act in project.maintain().acts]

    assert it.rows("hourly") == [("03-02 14:00", "ok", 0)]


def test_the_system_table_shows_the_next_slot_and_the_last(moved: Make) -> None:
    it = moved(HOURLY)
    it.look(at("2026-03-02 13:10"))

    with it.open() as project:
        found = project.sql("SELECT next_slot, last_slot, last_status, last_said FROM tidemill.schedules").fetchall()
    plain = [moment.replace(tzinfo=None) for moment in (at("2026-03-02 14:00"), at("2026-03-02 13:00"))]
    assert found == [(*plain, "ok", "0 checks held")]


def test_status_and_doctor_say_that_a_slot_waits_for_a_scheduler(moved: Make) -> None:
    it = moved(HOURLY)

    it.moment = at("2026-03-02 13:00:30")
    with it.open() as project:
        (soon,) = project.overview()["schedules"]
    it.moment = at("2026-03-02 13:02")
    with it.open() as project:
        (late,) = project.overview()["schedules"]

    assert (soon["overdue"], soon["next"]) == (False, "2026-03-02T14:00:00+00:00")
    assert (late["overdue"], late["next"]) == (True, "2026-03-02T13:00:00+00:00")
    with it.open() as project:
        (found,) = scheduler(project)
    assert found.detail == "hourly is due since 2026-03-02T13:00:00+00:00, and no scheduler has come to it"


def test_what_fails_by_the_sql_is_said_and_not_tried_again(moved: Make) -> None:
    it = moved(HOURLY.replace("check", "run"))
    (it.root / "sql").mkdir()
    (it.root / "sql" / "bad.sql").write_text("CREATE TABLE bad AS SELECT * FROM nowhere")

    assert it.look(at("2026-03-02 13:00")) == ["begun", "ended"]
    assert it.look(at("2026-03-02 13:59")) == []

    ended = it.words[-1][1]
    assert ended["status"] == "failed"
    assert "nowhere" in ended["said"]
    with it.open() as project:
        (found,) = records.list_slots(project.db, "hourly")
    assert found.error is not None
    assert found.error["code"] == "TM-BIND"


def test_a_slot_is_claimed_once_in_either_database(control_url: str) -> None:
    slot, me = at("2026-03-02 13:00"), this_process()
    with closing(open_database(control_url, clock=Clock())) as db:
        first = acquire(db, "schedule a", me)
        with db.write() as tx:
            claimed = records.claim_slot(tx, "a", slot, name="a", action="run", passed_over=0, lease=first)
        assert claimed is not None
        release(db, first)
        second = acquire(db, "schedule a", me)

        with db.write() as tx:
            assert records.claim_slot(tx, "a", slot, name="a", action="run", passed_over=0, lease=second) is None
            records.mark_lost(tx, claimed, again_at=None, lease=second)

        with pytest.raises(ConflictError):
            records.finish_slot(db, claimed, status="ok", said="", lease=first)
        assert [found.status for found in records.list_slots(db, "a")] == ["lost"]


def test_either_database_keeps_schedules_slots_and_who_is_up(control_url: str) -> None:
    moment = at("2026-03-02 12:00")
    hourly, me = schedule(), this_process()
    with closing(open_database(control_url, clock=Clock(now=lambda: moment))) as db:
        note(db, [hourly], moment)
        note(db, [hourly], moment)
        assert records.since_when(db) == {"hourly": moment}
        assert records.next_slots(db) == {"hourly": at("2026-03-02 13:00")}

        lease = acquire(db, "schedule hourly", me)
        with db.write() as tx:
            for hour in (13, 14):
                records.miss_slot(
                    tx,
                    "hourly",
                    at(f"2026-03-02 {hour}:00"),
                    name="hourly",
                    action="run",
                    passed_over=0,
                    said="",
                    lease=lease,
                )
        newest = records.newest_slot(db, "hourly", until=at("2026-03-02 13:30"))
        assert newest is not None
        assert newest.slot == at("2026-03-02 13:00")
        assert records.old_slots(db, before=at("2026-03-03 00:00")) == 1
        assert records.delete_slots(db, before=at("2026-03-03 00:00")) == 1

        with beating(db, "server", about="here"):
            (row,) = list_parts(db)
            assert (row.part, row.about, row.state(moment)) == ("server", "here", "up")
        assert list_parts(db) == []

        with pytest.raises(ZeroDivisionError), beating(db, "server"):
            _ = 1 / 0
        (trouble,) = list_troubles(db)
        assert (trouble.where, trouble.said) == ("server", "it ended by an error: ZeroDivisionError: division by zero")
        with beating(db, "server"):
            assert list_troubles(db) != []  # it came back, and may die again
        assert list_troubles(db) == []
        with pytest.raises(BrokenPipeError), beating(db, "server"):
            raise BrokenPipeError  # whoever listened to it is gone, and it is well
        assert list_troubles(db) == []

        note(db, [], moment)
        assert records.since_when(db) == {}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("", "schedules.a has no cron"),
        ('cron = "61 * * * *"', "schedules.a.cron: the minute"),
        ('cron = "@daily"\nzone = "Europe/Amsterdm"', "no time zone 'Europe/Amsterdm'"),
        ('cron = "@daily"\nzone = "../etc/passwd"', "no time zone"),
        ('cron = "@daily"\nzone = "AEST"', "no time zone 'AEST'"),
        ('cron = "@daily"\ndo = "bake"', "must be one of run, check"),
        ('cron = "@daily"\ndo = "maintain"\nselect = ["a"]', "done to everything"),
        ('cron = "@daily"\ncatch_up = "some"', "must be one of latest, all, none"),
        ('cron = "@daily"\nretries = -1', "between 0 and 100"),
        ('cron = "@daily"\ncrom = "@daily"', "unknown setting schedules.a.crom"),
        ('cron = "@daily"\n[schedules.A]\ncron = "@daily"', "the same name"),
    ],
)
def test_a_schedule_that_is_wrong_is_refused_at_its_line(moved: Make, section: str, said: str) -> None:
    it = moved("")
    (it.root / "tidemill.toml").write_text(f"[schedules.a]\n{section}\n")

    with pytest.raises(SettingsError) as caught:
        it.open()

    assert said in caught.value.message
    assert caught.value.where is not None
