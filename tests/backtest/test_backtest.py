"""Backtests of real models on rows whose rule changes, or does not; nothing of the future, nothing registered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import NotFoundError, OptionError, SettingsError
from tidemill.core.schedules import one_schedule
from tidemill.project import Project, open_project
from tidemill.runner.backtest.report import BacktestReport
from tidemill.runner.backtest.walk import Asked
from tidemill.schedule.actions import PERFORM

WEEK = timedelta(weeks=1)
# 30 weeks of 140 rows. In `turning` the threshold moves on each week, in `steady` it stands still.
SQL = """
CREATE TABLE sales AS
SELECT TIMESTAMP '2026-01-01' + i * INTERVAL 72 MINUTE AS sold,
       TIMESTAMP '2026-01-01' + i * INTERVAL 72 MINUTE + INTERVAL 14 DAY AS known,
       (hash(i) % 1000) / 100.0 AS price, hash(i + 7) % 10 AS noise,
       (hash(i) % 1000) / 100.0 + (hash(i + 3) % 100) / 100.0 > 2 + i / 700.0 AS turning,
       (hash(i) % 1000) / 100.0 + (hash(i + 3) % 100) / 100.0 > 5 AS steady
FROM range(4200) AS r(i);

CREATE OR REPLACE MODEL turning OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['turning'],
    train_time_col = 'sold', train_window = 'last 4 weeks') AS
SELECT sold, price, noise, turning FROM sales;

CREATE OR REPLACE MODEL steady OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['steady'],
    train_time_col = 'sold', train_known_col = 'known') AS
SELECT sold, known, price, noise, steady FROM sales;

CREATE OR REPLACE MODEL timeless OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['steady']) AS
SELECT price, noise, steady FROM sales;
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sales")
    (folder / "tidemill.toml").write_text("threads = 1\n")
    (folder / "sql").mkdir()
    (folder / "sql" / "sales.sql").write_text(SQL)
    with open_project(folder) as project:
        assert project.run(["sales"]).status == "ok"
    return folder


@pytest.fixture
def project(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(root)
    with open_project(root) as opened:
        yield opened


@pytest.fixture(scope="module")
def turning(root: Path) -> BacktestReport:
    with open_project(root) as opened:
        return opened.backtest(Asked(model="turning", every=WEEK, ages=4, metric="accuracy"))


def test_where_the_rule_moves_on_age_costs_and_training_often_is_told_to_pay(turning: BacktestReport) -> None:
    losses = [one.loss.value for one in turning.ageing.ages if one.loss is not None]

    assert losses == sorted(losses)
    assert turning.ageing.enough == 1
    assert turning.said[0].startswith("A model 7 days old is measurably worse than a fresh one")
    assert turning.said[1].startswith("Train every 7 days: every 2 weeks loses")


def test_each_training_sees_its_window_and_is_tested_on_the_whole_periods_after_it(turning: BacktestReport) -> None:
    assert turning.cuts[-1].at == datetime(2026, 7, 22, 22, 48, 0, 1, tzinfo=UTC)  # a week before the newest row
    assert {cut.rows for cut in turning.cuts} == {4 * 140}
    assert {score.rows for score in turning.scores} == {140}
    assert all(score.start == score.cut + score.age * WEEK for score in turning.scores)
    newest = [score.age for score in turning.scores if score.cut == turning.cuts[-1].at]
    assert newest == [0]


def test_a_cut_gives_what_a_model_trained_as_of_it_gives(turning: BacktestReport, project: Project) -> None:
    cut = turning.cuts[3].at
    moment = f"{cut:%Y-%m-%d %H:%M:%S.%f}"
    statement = SQL.split("\n\n")[1].replace("MODEL turning", "MODEL earlier")
    project.sql(statement.replace("train_time_col", f"train_as_of = '{moment}', train_time_col"))

    ((accuracy,),) = project.sql(
        "SELECT accuracy FROM ML.EVALUATE(MODEL earlier, (SELECT price, noise, turning FROM sales"
        f" WHERE sold >= TIMESTAMP '{moment}' AND sold < TIMESTAMP '{moment}' + INTERVAL 7 DAY))"
    ).fetchall()

    fresh = next(score.value for score in turning.scores if score.cut == cut and score.age == 0)
    assert accuracy == pytest.approx(fresh, abs=1e-12)


def test_where_the_rule_stands_still_training_again_is_not_told_to_pay(project: Project) -> None:
    before = project.warehouse.tables()

    found = project.backtest(Asked(model="steady", every=2 * WEEK, ages=4, metric="accuracy"))

    assert found.ageing.enough == 0
    assert found.said[-1].startswith("Training again does not pay measurably")
    assert project.warehouse.tables() == before
    assert "steady" not in [model.name for model in project.models()]


def test_rows_that_were_not_known_yet_do_not_train(project: Project) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    asked = Asked(model="steady", every=WEEK, ages=1, first=first, last=first + WEEK)

    late = project.backtest(asked)
    early = project.backtest(Asked(model="steady", every=WEEK, ages=1, first=first, last=first + WEEK, known="sold"))

    # Two weeks of 140 rows have happened, and are not known.
    assert early.cuts[0].rows - late.cuts[0].rows == 280


def test_a_moment_of_the_statement_that_is_not_used_is_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = SQL.split("\n\n")[1].replace("MODEL turning", "MODEL early")
    project.sql(moved.replace("train_time_col", "train_as_of = '2026-05-01', train_time_col"))

    found = project.backtest(Asked(model="early", every=4 * WEEK, ages=1, metric="accuracy"))

    assert found.said[-1].startswith("TRAIN_AS_OF = '2026-05-01' of the statement is not used here")
    project.close()
    assert run_command(["backtest", "turning", "--every", "1y"]) == 2
    assert "52w or 365d for a year" in capsys.readouterr().err


def test_a_backtest_is_kept_as_rows_and_shown_as_a_page(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    project.close()
    page = tmp_path / "page.html"

    assert run_command(["backtest", "turning", "--every", "4w", "--ages", "2", "--html", str(page)]) == 0
    told = capsys.readouterr().out
    assert "trained every" in told
    assert page.read_text().count("<svg") == 2
    assert run_command(["backtest", "turning", "--every", "4w", "--ages", "2", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    with open_project(project.root) as opened:
        rows = opened.sql(f"SELECT * FROM tidemill.backtest_scores WHERE backtest = {plain['backtest']}").fetchall()
        (kept,) = opened.sql(
            f"SELECT model, trainings, enough FROM tidemill.backtests WHERE backtest = {plain['backtest']}"
        ).fetchall()
    assert kept == ("turning", len(plain["cuts"]), plain["enough"])
    assert len(rows) >= len(plain["scores"])


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (Asked(model="timeless", every=WEEK), OptionError, "nothing says which column"),
        (Asked(model="trning", every=WEEK), NotFoundError, "no statement makes a model trning"),
        (Asked(model="turning", every=timedelta(days=900)), SettingsError, "there is no whole period"),
        (Asked(model="turning", every=timedelta(minutes=1)), SettingsError, "would be .* trainings"),
        (Asked(model="turning", every=WEEK, metric="speed"), SettingsError, "has no metric speed"),
        (Asked(model="turning", every=WEEK, window="last year"), SettingsError, "the window is 'last year'"),
    ],
)
def test_what_cannot_be_asked_is_refused(project: Project, asked: Asked, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        project.backtest(asked)


def test_a_schedule_backtests_the_models_it_selects_and_keeps_what_it_found(project: Project) -> None:
    given = {"cron": "@weekly", "do": "backtest", "select": ["turning", "timeless"], "every": "6 weeks"}

    done = PERFORM["backtest"](project, one_schedule("ages", given))

    number, every = project.sql(
        "SELECT backtest, every_s FROM tidemill.backtests WHERE model = 'turning' ORDER BY backtest DESC LIMIT 1"
    ).fetchall()[0]
    assert every == timedelta(weeks=6).total_seconds()
    assert done.said.startswith(f"turning: backtest {number}, ")
    assert "; timeless: " in done.said  # it has no time, which keeps the other from nothing
    assert isinstance(done.error, OptionError)
