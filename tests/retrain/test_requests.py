"""New versions on request: once, not too often, never of bad rows, through the same gates as any."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.retrain.conftest import DAY, RETRAIN, Shop

from tidemill.cli.main import run_command
from tidemill.core.errors import NotFoundError, SettingsError
from tidemill.core.schedules import one_schedule
from tidemill.core.sections import one_deployment
from tidemill.runner.report import RunReport
from tidemill.runner.retrain.carry_out import LEASE, carry_out_due
from tidemill.schedule.actions import PERFORM
from tidemill.warehouse.control.holders import Holder
from tidemill.warehouse.control.leases import acquire
from tidemill.warehouse.control.retrain import begin_request, list_requests, note_version, open_requests

HOUR = timedelta(hours=1)


def statuses(shop: Shop) -> list[str]:
    return [one.status for one in reversed(list_requests(shop.project.db, "churn"))]


def test_new_rows_make_a_version_that_goes_through_gates_and_rollout_like_any(shop: Shop) -> None:
    shop.batch()

    assert shop.ask("quality", alert="7")
    (found,) = shop.due()

    assert found.request.status == "done", found.request.said
    assert (found.request.version, found.request.champion) == (2, 1)
    deployment = shop.project.status()[0].deployment
    assert (deployment.champion, deployment.challenger, deployment.stage) == (1, 2, "shadow")
    run = shop.project.sql(f"SELECT status FROM tidemill.runs WHERE run_id = '{found.request.run_id}'").fetchall()
    assert run == [("ok",)]
    told = [(row.who, row.action) for row in shop.project.audit()][-3:]
    assert told == [("test", "ask for retraining"), ("retrain", "deploy"), ("retrain", "shadow")]
    assert len(shop.project.gates("churn", 2)) > 5


def test_however_often_drift_and_quality_ask_there_is_one_request_and_one_version(shop: Shop) -> None:
    shop.batch()
    shop.now += 6 * DAY
    for hour in range(60):
        shop.now += HOUR
        assert shop.ask("drift" if hour % 2 else "quality", window=hour)

    done = [shop.due(HOUR) for _ in range(5)]

    assert statuses(shop) == ["done"]
    assert [len(found) for found in done] == [1, 0, 0, 0, 0]
    row = shop.project.sql("SELECT asked, asks, status FROM tidemill.retrain_requests").to_arrow().to_pylist()[0]
    assert row["asked"] == 60
    assert len(json.loads(row["asks"])) == 20
    assert shop.versions == 2
    assert [entry.action for entry in shop.project.audit()].count("ask for retraining") == 1


def test_what_is_asked_for_while_a_version_is_on_trial_waits_for_it_and_for_the_cap(shop: Shop) -> None:
    shop.batch()
    shop.ask()
    shop.due()
    shop.batch()
    shop.ask()

    (waits,) = shop.due(HOUR)
    assert (waits.request.status, waits.request.said) == ("waiting", "version 2 is on trial")
    shop.settle()
    (waits,) = shop.due(HOUR)
    assert waits.request.said == "at most 1 per 24 hours"
    assert waits.request.not_before is not None
    assert waits.request.not_before - shop.now == 22 * HOUR
    (done,) = shop.due(22 * HOUR)

    assert (done.request.status, done.request.version) == ("done", 3)


def test_without_new_rows_nothing_is_trained_and_alarms_leave_one_row(shop: Shop) -> None:
    for _ in range(4):
        shop.ask()
        (found,) = shop.due(2 * HOUR)
        assert found.request.status == "unchanged"
        assert found.request.said == "nothing new to learn from: version 1 is of the same rows"
    shop.ask()
    assert shop.due()[0].request.said == "there was nothing new to learn from"  # an hour has not passed

    assert statuses(shop) == ["waiting"]
    assert shop.versions == 1
    assert len(shop.project.sql("SELECT * FROM tidemill.runs").fetchall()) == 1


def train_on_few_months(shop: Shop) -> None:
    """Customers of five hundred months are in the table, and no version learns of them."""
    path = shop.root / "sql" / "churn.sql"
    path.write_text(path.read_text().replace("FROM customers;", "FROM customers WHERE months < 500;"))


def test_rows_that_no_training_sees_make_no_version_that_is_tried(shop: Shop) -> None:
    train_on_few_months(shop)
    shop.ask()
    shop.due()
    shop.settle()
    shop.batch(months=1_000.0)
    shop.ask()

    (found,) = shop.due(40 * DAY)

    assert found.request.status == "unchanged"
    assert found.request.said == f"nothing new learnt: version {shop.versions} is the champion's bytes"


def test_bytes_that_were_refused_are_not_tried_again(shop: Shop) -> None:
    train_on_few_months(shop)
    shop.batch(6_000, flipped=1.0)
    shop.ask()
    assert shop.due()[0].request.status == "refused"
    refused = shop.versions
    shop.batch(months=1_000.0)
    shop.ask()

    (found,) = shop.due(40 * DAY)

    assert found.request.status == "unchanged"
    said = f"nothing new learnt: version {shop.versions} is the bytes of version {refused}, which was refused"
    assert found.request.said == said


def test_rows_that_fail_their_checks_train_nothing_and_the_pause_doubles(shop: Shop) -> None:
    shop.batch(months=-500.0)
    pauses = []
    for _ in range(3):
        shop.ask()
        found = shop.due()
        while found[0].request.status == "waiting":
            assert found[0].request.not_before is not None
            pauses.append(found[0].request.not_before - shop.now)
            found = shop.due(pauses[-1])
        assert found[0].request.status == "failed"
        assert found[0].request.said == "failed: customers"
        assert found[0].error is not None
        assert found[0].error.code == "TM-DATA-CONTRACT"

    assert pauses == [DAY, 2 * DAY]
    assert shop.versions == 1


def test_an_assertion_about_what_the_model_reads_stands_in_the_way(shop: Shop) -> None:
    (shop.root / "sql" / "assert.sql").write_text("ASSERT (SELECT count(*) FROM customers) < 2500 AS 'few customers';")
    shop.batch()
    shop.ask()

    (found,) = shop.due()

    assert (found.request.status, shop.champion) == ("failed", 1)
    assert found.request.said.startswith("failed: assert_few_customers")


def test_a_batch_with_labels_turned_round_is_refused_by_the_gates_and_the_champion_stays(shop: Shop) -> None:
    shop.reopen(RETRAIN + '\n[deployments.churn.gates]\nmetric = "log_loss"\nmargin = 0.02\n')
    # A fifth of the new labels, which is a tenth and more of all that train.
    shop.batch(2_400, flipped=0.2, reviewed=False)
    shop.ask()

    (found,) = shop.due()

    assert found.request.status == "refused", found.request.said
    assert "champion (fail)" in found.request.said
    assert (shop.champion, shop.versions) == (1, 2)
    shop.ask()
    (waits,) = shop.due(HOUR)
    assert waits.request.said == "the last one came to nothing: a pause of 24 hours"
    (again,) = shop.due(2 * DAY)
    assert again.request.status == "unchanged"
    assert again.request.said == "nothing new to learn from: version 2, of the same rows, was refused"


def test_a_person_waits_for_no_pause_and_no_cap(shop: Shop) -> None:
    shop.batch()
    shop.ask()
    shop.due()
    shop.settle()
    shop.batch()
    shop.ask()
    assert shop.due(HOUR)[0].request.status == "waiting"

    assert shop.ask("person")

    assert shop.due()[0].request.status == "done"


def test_a_champion_that_is_too_old_asks_by_itself(shop: Shop) -> None:
    shop.batch()

    assert shop.due(29 * DAY) == []
    (found,) = shop.due(2 * DAY)

    assert (found.request.status, found.request.causes) == ("done", ("staleness",))


def test_drift_asks_for_nothing_until_the_champion_has_some_age(shop: Shop) -> None:
    assert not shop.ask("drift")
    shop.now += 6 * DAY
    assert shop.ask("drift")
    shop.reopen(RETRAIN.replace('max_age_with_drift = "5 days"', ""))
    assert not shop.ask("drift")


def test_a_cause_that_the_settings_do_not_name_asks_for_nothing(shop: Shop) -> None:
    shop.reopen("")
    shop.now += 365 * DAY

    assert not shop.ask("quality")
    assert shop.due() == []
    assert statuses(shop) == []


def test_a_schedule_asks_for_the_deployments_it_selects_and_carries_out(shop: Shop) -> None:
    shop.batch()

    asks = one_schedule("new", {"cron": "@daily", "do": "retrain", "select": ["churn"]})

    done = PERFORM["retrain"](shop.project, asks)

    assert done.said == "churn: done, version 2 is on trial, in the shadow"
    assert PERFORM["retrain"](shop.project, replace(asks, select=())).said == "nothing to do"


def test_a_schedule_that_may_not_ask_says_which_setting_lets_it_and_carries_out_what_else_is_due(shop: Shop) -> None:
    shop.reopen(RETRAIN.replace(', "schedule"', ""))
    shop.batch()
    shop.now += 31 * DAY

    done = PERFORM["retrain"](
        shop.project, one_schedule("new", {"cron": "@daily", "do": "retrain", "select": ["chrun", "churn"]})
    )

    assert done.said.split("; ") == [
        "there is no deployment and no model chrun",
        "deployments.churn.retrain.on does not have schedule: no schedule may ask for a new version",
        "churn: done, version 2 is on trial, in the shadow",
    ]
    assert done.error is not None
    assert done.error.hint == "did you mean churn?"
    assert statuses(shop) == ["done"]


def test_a_version_that_a_person_trained_is_tried_rather_than_trained_again(shop: Shop) -> None:
    shop.batch()
    shop.project.run()
    shop.ask()

    (found,) = shop.due()

    assert (found.request.status, found.request.version, found.request.run_id) == ("done", 2, None)
    assert shop.versions == 2


@pytest.mark.parametrize("deployed", [False, True])
def test_what_a_killed_process_left_is_taken_up_by_the_next(shop: Shop, deployed: bool) -> None:
    shop.batch()
    shop.ask()
    db = shop.project.db
    (request,) = open_requests(db)
    acquire(db, LEASE, Holder(host="elsewhere", pid=1, start="0"), ttl_s=30.0)
    begin_request(db, request.number, champion=1)
    if deployed:
        report = shop.project.run()
        note_version(db, request.number, run_id=report.run_id, version=2)
        shop.project.deploy("churn")

    (found,) = shop.due(HOUR)

    assert (found.request.status, found.request.version, shop.versions) == ("done", 2, 2)
    assert found.request.attempt == (1 if deployed else 2)


def test_what_people_do_while_a_version_trains_is_not_pushed_aside(shop: Shop) -> None:
    shop.batch()
    shop.project.run()
    shop.project.deploy("churn")
    shop.settle()
    shop.batch()
    shop.ask()

    def train(_: str) -> RunReport:
        report = shop.project.run()
        shop.project.rollback("churn")
        return report

    (waits,) = carry_out_due(shop.project.stations, train)
    assert (waits.request.status, waits.request.said) == ("waiting", "the deployment cools down after a rollback")
    (done,) = shop.due(HOUR)

    assert (done.request.status, done.request.version, done.request.champion, shop.versions) == ("done", 3, 1, 3)


def test_a_request_whose_statement_is_gone_fails_and_says_so(shop: Shop) -> None:
    shop.ask()
    (shop.root / "sql" / "churn.sql").write_text("")
    shop.project.run()

    found = shop.due(40 * DAY)

    assert [one.request.status for one in found] == ["failed"]
    assert found[0].request.said == "no asset is named churn"


def test_the_command_asks_carries_out_and_lists(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.batch()

    assert run_command(["retrain", "churn", "--later", "--why", "new plans"]) == 0
    assert run_command(["retrain", "--due"]) == 0
    assert run_command(["retrain"]) == 0

    told = capsys.readouterr().out
    assert "request 1: tidemill retrain --due carries it out" in told
    assert "churn, request 1: done, version 2 is on trial, in the shadow" in told
    assert run_command(["retrain", "chrun"]) == NotFoundError.exit_status
    assert "churn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"on": ["drift"]}, "nothing asks by 'drift'"),
        ({"on": ["staleness"]}, "nothing says what is stale"),
        ({"at_most": "often"}, "must be a number and a span of time"),
        ({"at_most": "0 per day"}, "must be a number and a span of time"),
    ],
)
def test_settings_that_cannot_hold_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        one_deployment("churn", {"retrain": given})


def test_at_most_reads_as_it_is_said() -> None:
    settings = one_deployment("churn", {"retrain": {"at_most": "3 per week"}}).retrain

    assert (settings.most, settings.span) == (3, 7 * DAY)
