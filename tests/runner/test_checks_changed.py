"""What a statement promises changes, and its rows do not: they are checked where they are, and nothing is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.runner.increments.conftest import KEYED, Shop, outcomes, shop  # noqa: F401 - a fixture

from tidemill.core.errors import ContractError, StatementError
from tidemill.project import Project

ROWS = "CREATE TABLE visits {} AS SELECT * FROM 'visits.csv';"


def write(root: Path, columns: str) -> None:
    """Write a statement of the table with other promises, and one of a reader."""
    text = ROWS.format(columns) + "CREATE TABLE readers AS SELECT count(*) AS n FROM visits;"
    (root / "sql" / "tables.sql").write_text(text)
    (root / "sql" / "model.sql").unlink(missing_ok=True)


def planned(project: Project) -> dict[str, tuple[str, str]]:
    """What a run would do."""
    return {step.asset: (step.action, step.reason) for step in project.plan().work}


def test_a_new_check_looks_at_the_rows_that_are_there_and_leaves_readers_alone(root: Path, project: Project) -> None:
    write(root, "(id PRIMARY KEY)")
    project.run()

    write(root, "(id PRIMARY KEY, pages NOT NULL, CHECK (pages >= 0))")

    assert planned(project) == {"visits": ("check", "checks changed")}
    (step,) = project.run().steps
    assert (step.status, step.rows) == ("done", 600)
    assert len(project.history("visits")) == 1
    said = project.sql('SELECT "check", status FROM tidemill.checks ORDER BY created_at DESC LIMIT 3').fetchall()
    assert {check for check, _ in said} == {"PRIMARY KEY (id)", "NOT NULL (pages)", "CHECK (pages >= 0)"}
    assert project.run().status == "nothing"


def test_a_new_check_that_does_not_hold_fails_until_somebody_mends_it(root: Path, project: Project) -> None:
    write(root, "(id PRIMARY KEY)")
    project.run()
    write(root, "(id PRIMARY KEY, CHECK (pages > 5))")

    for _ in range(2):
        (step,) = project.run().steps
        assert isinstance(step.error, ContractError)
        assert "its rows stand as they are" in step.error.message
        assert step.error.where is not None
    write(root, "(id PRIMARY KEY, CHECK (pages > 5) NOT ENFORCED)")
    (step,) = project.run().steps
    assert step.status == "done"
    assert "CHECK (pages > 5)" in step.warnings[0]


def test_a_table_that_is_only_referred_to_has_the_rows_checked_again_and_not_built(
    root: Path, project: Project
) -> None:
    pages = "CREATE TABLE known AS SELECT * FROM range({}) AS t(page);"
    write(root, "(pages REFERENCES known (page))")
    (root / "sql" / "known.sql").write_text(pages.format(11))
    project.run()

    (root / "sql" / "known.sql").write_text(pages.format(12))
    assert planned(project) == {"known": ("build", "query changed"), "visits": ("check", "known changed")}
    assert project.run().status == "ok"
    assert len(project.history("visits")) == 1
    (root / "sql" / "known.sql").write_text(pages.format(5))
    step = project.run().steps[-1]
    assert isinstance(step.error, ContractError)
    assert "REFERENCES known" in step.error.message


def test_what_an_incremental_table_says_of_rows_to_come_builds_nothing(shop: Shop) -> None:  # noqa: F811
    shop.orders(columns="(id BIGINT)")
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()

    more = "max_bad_rows = 5, on_schema_change = 'add_columns', lookback = '2 days', description = 'all orders'"
    shop.orders(f"{KEYED}, {more}", columns="(id BIGINT)")
    assert shop.plan() == {}

    shop.orders(columns="(id BIGINT, CHECK (amount < 15))")
    assert shop.plan() == {"orders": ("check", "checks changed")}
    error = shop.try_run().steps[0].error
    assert isinstance(error, ContractError)
    assert "its rows stand as they are" in error.message
    assert len(shop.history()) == 1


def test_checks_that_changed_with_new_rows_are_asked_of_all_rows(shop: Shop) -> None:  # noqa: F811
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 1)])
    shop.run()
    shop.orders(columns="(CHECK (amount < 15))")
    shop.deliver("data/b.parquet", [(3, 5, 2)])

    assert shop.plan()["orders"][0] == "increment"
    assert isinstance(shop.try_run().steps[0].error, ContractError)
    shop.deliver("data/b.parquet", [(2, 5, 2)])  # the row that did not hold is replaced
    assert outcomes(shop.run()) == {"orders": "done"}
    assert shop.rows() == [(1, 10), (2, 5)]
    assert shop.plan() == {}


@pytest.mark.parametrize(
    ("options", "caret"),
    [
        ("lookback = '1 day'", "lookback"),
        (f"{KEYED}, lookback = 'soon'", "'soon'"),
        (f"{KEYED}, deleted_when = 'sum(id) > 1'", "'sum(id) > 1'"),
        ("max_bad_rows = -1", "-1"),
        ("max_age = '1 day'", "'1 day'"),
        ("max_bad_row = 1", "max_bad_row"),
    ],
)
def test_a_plan_refuses_options_that_a_run_would_refuse(shop: Shop, options: str, caret: str) -> None:  # noqa: F811
    shop.orders(KEYED)
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.write(f"CREATE TABLE orders OPTIONS (\n  {options}\n) AS SELECT * FROM 'data/*.parquet';")

    with pytest.raises(StatementError) as caught:
        shop.project.plan()

    where = caught.value.where
    assert where is not None
    assert (where.file, where.line) == ("sql/orders.sql", 2)
    assert where.text[where.column - 1 :].startswith(caret) or caret == "lookback"
    (step,) = shop.try_run().steps  # not even where nothing else changed
    assert step.error is not None
    assert step.error.message == caught.value.message


def test_an_assertion_that_is_not_enforced_warns_and_the_run_goes_on(root: Path, project: Project) -> None:
    write(root, "")
    (root / "sql" / "few.sql").write_text("ASSERT (SELECT count(*) FROM visits) < 5 AS 'few visits' NOT ENFORCED;")

    report = project.run()

    assert report.status == "ok"
    (warnings,) = [step.warnings for step in report.steps if step.kind == "assert"]
    assert warnings == ("does not hold: few visits: it was 600 < 5",)
    assert project.sql("SELECT status, enforced FROM tidemill.checks WHERE kind = 'assert'").fetchall() == [
        ("warned", False)
    ]
    checked = project.check()
    assert checked.held
    assert project.run().status == "nothing"
