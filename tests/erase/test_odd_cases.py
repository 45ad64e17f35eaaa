"""Odd values, odd names, and projects that are not as one expects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.erase.world import ANN, BY_MAIL, Shop, places_of, settle, write_people

from tidemill.cli.main import run_command
from tidemill.core.names import quote_name
from tidemill.governance.subject import Value, read_value
from tidemill.project import open_project
from tidemill.warehouse.control.holders import Holder, this_process
from tidemill.warehouse.control.leases import held

ODD = 'O\'Neill \\ "Zoë" ; DROP TABLE people; -- {{x}} $1 %s'


def test_odd_columns_and_values_mean_what_they_say_and_rows_without_a_value_stay(shop: Shop) -> None:
    text = ODD.replace("'", "''")
    shop.project.sql(
        f"""CREATE TABLE odd AS SELECT * FROM (VALUES ('{text}', 1), ('x{text}', 2), (NULL, 3), ('x', 4))"""
        """ AS t("E-Mail ""x"" Größe", n)"""
    )

    asked = shop.erase(f'e-mail "X" größe={ODD}')

    assert asked.erasure is not None
    assert (asked.erasure.status, asked.erasure.waiting) == ("done", ())
    assert shop.rows("SELECT n FROM odd") == [2, 3, 4]


@pytest.mark.parametrize("column", ['E "x"', "p.q[0]/~", "b\\c", "Straße", "Ληξις"])
def test_what_was_asked_is_known_by_a_column_of_any_name(shop: Shop, column: str) -> None:
    shop.project.sql(f"CREATE TABLE odd AS SELECT 1 AS {quote_name(column)}")
    rows = [{column: ODD, "": 1}, {column: f"x{ODD}", "": 2}, {"": ODD}, {f"{column}2": ODD}]
    asked = [json.dumps({"rows": [row]}).encode() for row in rows]
    asked.append(f'{{"rows":[{{"{escaped(column)}":{json.dumps(ODD)}}}]}}'.encode())
    shop.log(*(shop.answer(number, inputs=inputs) for number, inputs in enumerate(asked)))

    shop.erase(f"{column.upper() if column.isascii() else column}={ODD}")

    assert shop.rows("SELECT id FROM tidemill.predictions ORDER BY id") == ["r1", "r2", "r3"]


def escaped(text: str) -> str:
    """A text as JSON may write it: every sign by its number."""
    return "".join(f"\\u{ord(sign):04x}" for sign in text)


def test_the_engine_shows_a_number_in_one_of_the_forms_that_are_known(shop: Shop) -> None:
    texts = ["0.1", "1e15", "1e16", "12345678901234567", "1e22", "-7.5", "1e-7", "-0", "1E3", "3.14"]
    shown = shop.rows(f"SELECT CAST(CAST(unnest({texts}) AS DOUBLE) AS VARCHAR)")

    values = [Value(column="x", text=text) for text in texts]
    assert [one for one, value in zip(shown, values, strict=True) if one not in {value.text, *value.shown}] == []


def test_a_project_that_was_cloned_with_its_ledger_leaves_them_out_from_the_first_run(shop: Shop) -> None:
    shop.erase()
    shop.project.close()
    shutil.rmtree(shop.keep)
    write_people(shop.root, more=())

    with open_project(shop.root) as project:
        assert project.run().status == "ok"
        mails = [row[0] for row in project.sql("SELECT email FROM people").fetchall()]
        assert (len(mails), ANN in mails) == (302, False)
        assert [one.status for one in project.erasures()] == ["done"]


@contextmanager
def collecting(shop: Shop) -> Iterator[None]:
    """Another process is the collector."""
    this = this_process()
    with held(shop.project.db, "collector", Holder(host="elsewhere", pid=this.pid, start=this.start)):
        yield


def test_answers_that_another_collector_brings_are_waited_for(shop: Shop) -> None:
    settle(shop.root)
    shop.log(shop.answer(1, keys=[ANN]), shop.answer(2), collect=False)
    assert shop.look(BY_MAIL).found.waiting == 1
    with collecting(shop):
        asked = shop.erase().erasure
        assert asked is not None
        assert asked.status == "open"
        assert any(text.startswith("1 answer waits for the collector") for text in asked.waiting)
    shop.project.collect()

    assert run_command(["maintain"]) == 0

    assert shop.rows("SELECT id FROM tidemill.predictions") == ["r2"]
    assert [one.waiting for one in shop.project.erasures()] != [()]  # the segment is young: queries may be reading it
    assert run_command(["erase", "--now"]) == 0
    assert [one.status for one in shop.project.erasures()] == ["done"]
    assert places_of(shop.root) == []


def test_an_erasure_that_meets_another_waits_and_the_next_one_carries_it_out(shop: Shop) -> None:
    with held(shop.project.db, "maintain", Holder(host="elsewhere", pid=1, start="x")):
        first = shop.erase()
    assert first.busy is not None
    assert first.erasure is not None
    assert first.erasure.status == "open"
    assert ANN in shop.mails()

    shop.erase("email=p000@example.org")

    assert ANN not in shop.mails()
    assert shop.rows("SELECT count(*) FROM people") == [301]
    assert read_value(BY_MAIL).text not in shop.ledger.read_text()
