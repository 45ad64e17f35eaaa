"""What must not happen when somebody is erased: that others go, and that it is said to be done when it is not."""

from __future__ import annotations

import pytest
from tests.erase.world import ANN, BY_MAIL, Shop, write_people

from tidemill.cli.main import run_command
from tidemill.core.errors import NotFoundError, StateError
from tidemill.sources.bad_rows import BadRow
from tidemill.warehouse.control.rejects import save_rejects


def test_numbers_in_texts_are_other_people_and_in_columns_of_numbers_the_same(shop: Shop) -> None:
    shop.project.sql(
        "CREATE TABLE codes AS SELECT * FROM (VALUES ('007', 1), ('7', 2), ('7.0', 3), ('x', 4)) AS t (code, n);"
        "CREATE TABLE counts AS SELECT * FROM (VALUES (7, 1), (70, 2)) AS t (code, n);"
        "CREATE TABLE amounts AS SELECT v::DECIMAL(9, 2) AS code, n FROM (VALUES (7, 1), (7.5, 2)) AS t (v, n);"
    )

    shop.erase("code=007")

    assert shop.rows("SELECT n FROM codes ORDER BY n") == [2, 3, 4]
    assert shop.rows("SELECT n FROM counts") == [2]
    assert shop.rows("SELECT n FROM amounts") == [2]


def test_a_value_in_a_column_that_nobody_named_is_told_and_keeps_the_erasure_open(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.project.sql("CREATE TABLE calls AS SELECT 'for ' || email || ', at noon' AS note FROM people")
    assert shop.look(BY_MAIL).elsewhere == {"calls.note": 1}

    asked = shop.erase()

    assert asked.erasure is not None
    assert asked.erasure.status == "open"
    assert any(text.startswith("calls.note holds a value as text (1 row)") for text in asked.erasure.waiting)
    assert run_command(["erase", "--now"]) == 0  # nobody says the value: nothing tells that it is gone
    assert "calls.note holds a value as text" in capsys.readouterr().out
    assert shop.project.erasures()[0].status == "open"


def test_what_only_the_values_find_stays_open_until_they_are_said_again(shop: Shop) -> None:
    shop.project.sql("CREATE TABLE calls AS SELECT email AS contact FROM people")
    (first,) = [shop.erase().erasure]
    assert first is not None
    assert first.status == "open"

    shop.erase(f"contact={ANN}")
    again = shop.erase().erasure

    assert again is not None
    assert (again.number, again.status) == (first.number, "done")


def test_the_audit_trail_is_told_and_not_said_to_be_free_of_them(shop: Shop) -> None:
    shop.project.set_alias("buyers", "best", "1", why=f"{ANN} likes it")

    asked = shop.erase()
    ended = shop.project.end_erasures(now=True)

    assert asked.erasure is not None
    assert "the audit trail quotes it" in asked.erasure.waiting[0]
    assert [one.status for one in ended] == ["open"]


def test_of_several_erasures_each_has_its_own_evidence(shop: Shop) -> None:
    shop.log(shop.answer(1, keys=["p001@example.org"]), shop.answer(2, keys=[ANN]))
    shop.erase("email=p001@example.org", now=False)
    shop.erase("email=p002@example.org", now=False)
    shop.erase(BY_MAIL, now=False)

    found = [dict(one.removed) for one in shop.project.end_erasures(now=True)]

    tables = {"people": 2, "visits": 2}
    assert found == [{**tables, "tidemill_log.predictions": 1}, tables, {**tables, "tidemill_log.predictions": 1}]


def test_rows_that_a_later_load_does_not_take_in_are_not_kept_of_erased_people(shop: Shop) -> None:
    shop.erase()
    write_people(shop.root)

    assert shop.project.run().status == "ok"

    raws = shop.rows("SELECT raw FROM tidemill.rejects")
    assert [raw.split(",")[0] for raw in raws] == ["eve@example.org", "dan@example.org"]


def test_a_short_number_takes_out_no_row_in_which_it_is_but_a_word(shop: Shop) -> None:
    rows = [
        BadRow(file="f", line=1, column="x", reason="wrong", raw="30,kara@example.org,9,paid 7 times"),
        BadRow(file="f", line=2, column="x", reason="wrong", raw='31,"7",paid'),
    ]
    save_rejects(shop.project.db, "r9", "people@1", table="visits", rows=rows)
    assert shop.look("customer=7").texts == 5  # two of each load, and the one just now

    shop.erase("customer=7")

    left = shop.rows("SELECT raw FROM tidemill.all_rejects")
    assert "30,kara@example.org,9,paid 7 times" in left
    assert '31,"7",paid' not in left


def test_without_its_ledger_nothing_is_built_that_would_bring_people_back(shop: Shop) -> None:
    shop.erase()
    text = shop.ledger.read_bytes()
    shop.ledger.unlink()
    write_people(shop.root)

    with pytest.raises(StateError, match=r"lacks erasure 1: loads would bring people back"):
        shop.project.run()
    shop.ledger.write_bytes(text)

    assert shop.project.run().status == "ok"
    assert ANN not in shop.mails()


def test_who_stands_only_in_a_file_of_the_project_is_entered_so_that_loads_leave_them_out(shop: Shop) -> None:
    (shop.root / "new.csv").write_text("email\nnew.person@example.org\n")

    assert "--yes enters them" in _said(shop, "email=new.person@example.org")
    asked = shop.erase("email=new.person@example.org")
    shop.project.sql("CREATE TABLE newcomers AS SELECT * FROM 'new.csv'")

    assert asked.erasure is not None
    assert shop.rows("SELECT count(*) FROM newcomers") == [0]


def test_a_value_in_other_letters_finds_nobody_and_says_who_it_nearly_is(shop: Shop) -> None:
    said = _said(shop, "email= Ann@Example.org")

    assert "people.email has 1 row in which letter case or blanks differ" in said
    assert shop.look("email=nobody@example.net").nearly == {}


def test_an_erasure_is_taken_back_once(shop: Shop) -> None:
    shop.erase()
    shop.project.forgive(1)

    with pytest.raises(NotFoundError, match="there is no erasure 1"):
        shop.project.forgive(1)
    assert run_command(["erase", "--take-back", "1", BY_MAIL]) != 0


def _said(shop: Shop, given: str) -> str:
    from tidemill.cli.erase_text import describe_looked

    return describe_looked(shop.look(given))
