"""People who were erased do not come back with what is loaded, until their erasure is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.erase.world import ANN, BY_MAIL, HEADER, NOT_ANN, Shop, lines, write_people

from tidemill.cli.main import run_command
from tidemill.core.errors import NotFoundError
from tidemill.runner.batch.request import BatchRequest
from tidemill.runner.label_columns import LabelRequest

LEFT_OUT = "rows of people who were erased are left out, by email (1 erasure in the ledger)"


@pytest.fixture
def erased(shop: Shop) -> Shop:
    """Ann was erased, and her file comes again."""
    shop.erase()
    write_people(shop.root, more=())
    return shop


def warnings(shop: Shop, asset: str) -> list[str]:
    report = shop.project.run([asset], full_refresh=True)
    assert report.status == "ok", report
    return [text for step in report.steps if step.asset == asset for text in step.warnings]


def write(shop: Shop, name: str, *mails: str) -> Path:
    path = shop.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["email,day", *(f"{mail},2026-01-0{day}" for day, mail in enumerate(mails, 1))]) + "\n")
    return path


def test_a_full_refresh_leaves_them_out_says_so_and_keeps_the_order(erased: Shop) -> None:
    assert LEFT_OUT in warnings(erased, "people")

    assert erased.mails() == [mail for mail in (line.split(",")[0] for line in lines()[1:]) if mail != ANN]
    assert erased.rows("SELECT sum(n) FROM totals") == [303]
    assert erased.project.run().status == "ok"
    assert erased.rows("SELECT sum(n) FROM totals") == [302]


def test_a_table_without_the_column_says_nothing(erased: Shop) -> None:
    assert warnings(erased, "totals") == []


def test_load_data_leaves_them_out(erased: Shop) -> None:
    write(erased, "mails.csv", "eve@example.org", ANN, NOT_ANN[0])
    (erased.root / "sql" / "mails.sql").write_text(
        "LOAD DATA INTO mails FROM FILES (format = 'CSV', uris = ['mails.csv']);"
    )

    assert LEFT_OUT in warnings(erased, "mails")
    assert erased.mails("mails") == ["eve@example.org", NOT_ANN[0]]
    for _ in range(2):
        erased.project.sql("LOAD DATA INTO more FROM FILES (format = 'CSV', uris = ['mails.csv'])")
    assert erased.mails("more") == ["eve@example.org", NOT_ANN[0]] * 2


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ("incremental_by = 'day', unique_key = ['email']", "SELECT * FROM 'days/*.csv'"),
        ("incremental_by = 'day'", "SELECT * FROM 'days/*.csv'"),
        ("incremental_by = 'day', unique_key = ['email']", "SELECT DISTINCT email, day FROM 'days/*.csv'"),
    ],
    ids=["files by key", "files", "column"],
)
def test_an_incremental_table_leaves_them_out_of_each_load(erased: Shop, options: str, source: str) -> None:
    write(erased, "days/1.csv", "eve@example.org", ANN, "dan@example.org")
    (erased.root / "sql" / "days.sql").write_text(f"CREATE TABLE days OPTIONS ({options}) AS {source};")
    first = erased.project.run(["days"])
    write(erased, "days/2.csv", "x@example.org", "y@example.org", "z@example.org", ANN, "late@example.org")

    second = erased.project.run(["days"])

    assert [LEFT_OUT in report.steps[0].warnings for report in (first, second)] == [True, True]
    found = set(erased.mails("days"))
    assert ANN not in found
    assert {"eve@example.org", "dan@example.org", "late@example.org"} <= found


def test_inserted_and_scored_rows_leave_them_out(erased: Shop) -> None:
    predicted = "SELECT email, predicted_bought FROM ML.PREDICT(MODEL buyers, (SELECT * FROM 'people.csv'))"
    erased.project.sql("CREATE TABLE calls AS SELECT email, true AS predicted_bought FROM visits LIMIT 1")
    erased.project.sql(f"INSERT INTO calls {predicted}")
    erased.project.predict(BatchRequest(model="buyers", input="people.csv", output="scored", here=erased.root))

    for table in ("calls", "scored"):
        assert ANN not in erased.mails(table)
        assert set(NOT_ANN) < set(erased.mails(table))


def test_scored_lines_of_a_file_keep_their_places(erased: Shop) -> None:
    erased.project.predict(BatchRequest(model="buyers", input="people.csv", output="scored.csv", here=erased.root))

    assert len((erased.root / "scored.csv").read_text().splitlines()) == len(lines())


def test_labels_of_a_file_leave_them_out_and_keep_their_numbers(erased: Shop) -> None:
    at = "2026-03-01T00:00:00Z"
    (erased.root / "labels.csv").write_text(
        f"email,label,at\n{ANN},yes,{at}\neve@example.org,,{at}\ndan@example.org,no,{at}\n"
    )

    done = erased.project.label(LabelRequest(deployment="buyers", input="labels.csv", here=erased.root))

    assert [row.line for row in done.refused] == [2]
    assert erased.rows('SELECT "key" FROM tidemill.received_labels') == ["dan@example.org"]


def test_who_is_taken_back_comes_in_again(erased: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["erase", "--take-back", "1"]) == 0
    assert capsys.readouterr().out == "erasure 1 is taken back: what is gone stays gone, what comes is kept\n"
    assert ANN not in erased.mails()

    assert LEFT_OUT not in warnings(erased, "people")

    assert ANN in erased.mails()
    assert [one.status for one in erased.project.erasures()] == ["taken back"]
    with pytest.raises(NotFoundError, match="there is no erasure 2"):
        erased.project.forgive(2)


def test_who_was_taken_back_can_be_erased_again(erased: Shop) -> None:
    erased.project.forgive(1)
    warnings(erased, "people")

    again = erased.erase(BY_MAIL).erasure

    assert again is not None
    assert (again.number, again.status) == (2, "done")
    assert ANN not in erased.mails()
    assert HEADER.split(",")[0] == "email"
