"""What erasing somebody takes out, and what it leaves."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.erase.world import ANN, BY_MAIL, NOT_ANN, Shop, places_of

from tidemill.cli.main import run_command
from tidemill.core.clock import Clock, utc_now
from tidemill.core.errors import NotFoundError
from tidemill.model_types._arrays import write_arrays
from tidemill.project import open_project
from tidemill.serving.log.records import LabelRow


def state_of(folder: Path) -> dict[str, bytes]:
    """Every file of a project, but for what SQLite and locks do with every reader."""
    skipped = ("-wal", "-shm", ".lock")
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix not in skipped
            and not path.name.endswith(skipped)}  # fmt: skip


def test_looking_says_what_would_go_and_changes_nothing(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.log(shop.answer(1, keys=[ANN]))
    before = state_of(shop.root)

    assert run_command(["erase", BY_MAIL]) == 0

    said = capsys.readouterr().out
    assert "people                    2 rows" in said
    assert "visits                    2 rows" in said
    assert "tidemill_log.predictions  1 row" in said
    assert "trained on these rows: buyers version 2, buyers version 1\n" in said
    assert "nothing was changed: --yes erases it" in said
    assert state_of(shop.root) == before
    assert shop.project.erasures() == []
    assert not shop.ledger.exists()


def test_looking_makes_no_key_for_hashed_columns(shop: Shop) -> None:
    settings = shop.root / "tidemill.toml"
    settings.write_text(settings.read_text().replace('key = "email"', 'key = "email"\nhash_columns = ["email"]'))

    assert run_command(["erase", BY_MAIL]) == 0

    assert not (shop.keep / "serve" / "log.key").exists()


def test_erased_rows_are_gone_from_every_version_and_all_others_stay_in_their_order(shop: Shop) -> None:
    versions = [version.version for version in shop.project.history("people")]
    before = {version: shop.mails(f"people AT (VERSION => {version})") for version in versions}
    assert all(ANN in mails for mails in before.values())

    asked = shop.erase()

    assert asked.erasure is not None
    assert (asked.erasure.status, asked.erasure.waiting) == ("done", ())
    assert asked.erasure.removed == {"people": 2, "visits": 2}
    for version, mails in before.items():
        assert shop.mails(f"people AT (VERSION => {version})") == [one for one in mails if one != ANN]
    assert ANN not in shop.mails("visits")
    assert set(NOT_ANN) < set(shop.mails())
    assert shop.rows("SELECT sum(n) FROM totals") == [303]  # a sum is of many
    assert places_of(shop.root) == []
    assert shop.project.verify() == []


def test_nobody_is_entered_of_whom_nothing_is_kept(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["erase", "email=nobody@example.org", "--yes"]) == 0

    assert capsys.readouterr().out == "nothing is kept of them\n"
    assert not shop.ledger.exists()


def test_a_column_that_no_table_has_is_an_error(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="no table has a column emial") as raised:
        shop.look("emial=x")

    assert raised.value.hint == "did you mean email?"


def test_several_values_mean_one_person_by_any_of_them(shop: Shop) -> None:
    shop.erase(BY_MAIL, "customer=5007")

    assert set(shop.mails()) & {ANN, *NOT_ANN} == {NOT_ANN[0]}
    assert [one.columns for one in shop.project.erasures()] == [("email", "customer")]


@pytest.mark.parametrize("given", ["7", "7.0", "07"])
def test_a_number_is_known_however_its_column_shows_it(shop: Shop, given: str) -> None:
    shop.project.sql("CREATE TABLE scores AS SELECT CAST(customer AS DOUBLE) AS customer, age FROM people")

    shop.erase(f"customer={given}")

    assert shop.rows("SELECT count(*) FROM scores WHERE customer = 7") == [0]
    assert shop.rows("SELECT count(*) FROM people WHERE customer = 7") == [0]
    assert shop.rows("SELECT count(*) FROM people WHERE customer IN (77, 5007)") == [2]


@pytest.mark.parametrize("given", ["0198F2D7-7F00-7000-8000-00000000BEEF", "{0198f2d77f0070008000-00000000beef}"])
def test_a_uuid_is_known_in_any_spelling(shop: Shop, given: str) -> None:
    shop.project.sql("CREATE TABLE devices AS SELECT '0198f2d7-7f00-7000-8000-00000000beef'::UUID AS device, 1 AS n")

    shop.erase(f"device={given}")

    assert shop.rows("SELECT count(*) FROM devices") == [0]


def test_answers_go_by_their_key_and_by_what_was_asked_in_any_letter_case(shop: Shop) -> None:
    rows = [b'{"age":1,"email":"%s"}', b'{"EMail":"%s","age":1}', b'{"age":1,"mail":"%s"}', b'{"email":"jo%s"}']
    asked = [shop.answer(10 + place, inputs=b'{"rows":[%s]}' % (row % ANN.encode())) for place, row in enumerate(rows)]
    columns = b'{"columns":{"age":[1,2],"Email":["%s","eve@example.org"]}}' % ANN.encode()
    two = shop.answer(20, n=2, keys=["a", "b"], inputs=columns, predictions=["yes", "no"], probabilities=[[0, 1]] * 2)
    shop.log(shop.answer(1), shop.answer(2, keys=[ANN]), shop.answer(3, keys=["joann@example.org"]), *asked, two)

    asked_for = shop.erase()

    assert asked_for.erasure is not None
    assert asked_for.erasure.removed["tidemill_log.predictions"] == 4
    assert shop.rows("SELECT id FROM tidemill.predictions ORDER BY at, id") == ["r1", "r3", "r12", "r13", "r20-1"]


def test_labels_go_by_their_key_and_with_the_answer_they_belong_to(shop: Shop) -> None:
    labels = [
        LabelRow(id="r1", label="yes"),
        LabelRow(id="r2", label="yes"),
        LabelRow(id="other", key=ANN, label="no"),
        LabelRow(id="another", key="eve@example.org", label="no"),
    ]
    shop.log(shop.answer(1, keys=[ANN]), shop.answer(2), labels=labels)

    shop.erase()

    assert sorted(shop.rows("SELECT prediction_id FROM tidemill.received_labels")) == ["another", "r2"]
    assert places_of(shop.root) == []


def test_values_that_the_log_hashes_are_known_there(shop: Shop) -> None:
    from tidemill.serving.log.redact import hashed, log_key

    settings = shop.root / "tidemill.toml"
    settings.write_text(settings.read_text().replace('key = "email"', 'key = "email"\nhash_columns = ["email"]'))
    key = log_key(shop.keep / "serve")
    theirs = hashed(ANN, key)
    asked = shop.answer(3, inputs=b'{"rows":[{"email":"%s"}]}' % theirs.encode())
    shop.log(shop.answer(1, keys=[theirs]), shop.answer(2, keys=[hashed("eve@example.org", key)]), asked)

    assert run_command(["erase", BY_MAIL, "--yes", "--now"]) == 0

    assert shop.rows("SELECT id FROM tidemill.predictions") == ["r2"]
    assert places_of(shop.keep, theirs) == []


def test_rows_that_were_not_loaded_go_when_they_name_them_even_by_a_short_number(shop: Shop) -> None:
    raws = shop.rows("SELECT raw FROM tidemill.rejects")
    assert [raw.split(",")[1] for raw in raws] == ["7", "7", "77"]

    shop.erase("customer=7")

    assert [raw.split(",")[0] for raw in shop.rows("SELECT raw FROM tidemill.all_rejects")] == ["dan@example.org"] * 2


@pytest.mark.parametrize("given", [BY_MAIL, "customer=7"])
def test_samples_of_checks_lose_their_rows_even_by_a_short_number(shop: Shop, given: str) -> None:
    shop.erase(given)

    found = shop.rows("SELECT sample, sample_keys FROM tidemill.checks WHERE rows_failing > 0")
    assert found
    for sample, keys in found:
        assert {row["email"] for row in json.loads(sample)} == set(NOT_ANN)
        assert {row["email"] for row in json.loads(keys)} == ({ANN} if given == "customer=7" else set()) | set(NOT_ANN)


def test_texts_that_quote_them_lose_the_value_and_others_stay(shop: Shop) -> None:
    said = {"message": f"{ANN}: not a number", "rows": [ANN, NOT_ANN[0]], "n": 7}
    with shop.project.db.write() as tx:
        sql = "UPDATE steps SET error = :error, warnings = :warnings WHERE asset = 'people'"
        tx.execute(sql, error=json.dumps(said), warnings=json.dumps([f"a\n{ANN}\tb", NOT_ANN[1]]))

    shop.erase()

    ((error, warnings),) = set(shop.rows("SELECT error, warnings FROM tidemill.steps WHERE asset = 'people'"))
    assert json.loads(error) == {"message": "[erased]: not a number", "rows": ["[erased]", NOT_ANN[0]], "n": 7}
    assert json.loads(warnings) == ["a\n[erased]\tb", NOT_ANN[1]]


def test_what_was_learnt_of_held_out_rows_goes_when_it_has_the_value(shop: Shop) -> None:
    folder = shop.keep / "expected"
    folder.mkdir()
    for name, text in (("theirs", ANN), ("others", "eve@example.org")):
        (folder / f"{name}.npz").write_bytes(b"d" * 64 + write_arrays({"0/texts": np.array([text, "x"])}))

    shop.erase()

    assert [path.name for path in folder.iterdir()] == ["others.npz"]


def test_a_copy_of_the_control_database_from_before_an_upgrade_goes_when_it_has_the_value(shop: Shop) -> None:
    shop.project.db.backup("before-9")
    (shop.keep / "control.sqlite.before-10").write_text(NOT_ANN[0])

    shop.erase()

    assert [path.name for path in shop.keep.glob("*.before-*")] == ["control.sqlite.before-10"]


def test_a_reason_that_names_them_is_kept_without_the_value(shop: Shop) -> None:
    asked = shop.erase(why=f"{ANN} asked in request 812")

    assert asked.erasure is not None
    assert (asked.erasure.status, asked.erasure.why) == ("done", "[erased] asked in request 812")
    assert "request 812" in shop.ledger.read_text()
    assert places_of(shop.root) == []


def test_a_model_that_keeps_the_value_is_named_and_the_erasure_stays_open_until_it_is_gone(shop: Shop) -> None:
    shop.project.sql(
        "CREATE TABLE seen AS SELECT email, i < age AS came FROM people, range(100) AS r(i) WHERE age > 80"
    )
    shop.project.sql(
        "CREATE MODEL by_mail OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['came'], max_iterations = 1)"
        " AS SELECT email, came FROM seen"
    )

    asked = shop.erase()

    assert asked.erasure is not None
    assert asked.erasure.status == "open"
    assert all("model by_mail version 1 keeps it; train anew" in text for text in asked.erasure.waiting)
    (again,) = shop.project.end_erasures(now=True)
    assert again.status == "open"
    assert again.waiting == asked.erasure.waiting


def test_what_the_spool_put_aside_as_damaged_is_searched_too(shop: Shop) -> None:
    aside = shop.keep / "spool" / "damaged"
    aside.mkdir(parents=True)
    (aside / "w0-1.seg-0.bin").write_bytes(b"\0\1" + ANN.encode() + b"\0")

    asked = shop.erase()

    assert asked.erasure is not None
    assert asked.erasure.waiting == (".tidemill/spool/damaged/w0-1.seg-0.bin holds a value as text",)


def test_files_that_a_query_may_be_reading_stay_for_the_grace_period(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["erase", BY_MAIL, "--yes"]) == 0
    assert "files with the rows go when no query can be reading them any more (24 h)" in capsys.readouterr().out
    assert places_of(shop.keep)
    assert [one.status for one in shop.project.erasures()] == ["open"]

    assert run_command(["erase", "--now"]) == 0

    assert [one.status for one in shop.project.erasures()] == ["done"]
    assert places_of(shop.keep) == []


def test_files_of_the_project_itself_are_told_and_stay(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.root / "notes.txt").write_text(f"call {ANN}")

    assert run_command(["erase", BY_MAIL, "--yes", "--now"]) == 0

    assert "files of yours that hold a value: notes.txt" in capsys.readouterr().out
    assert places_of(shop.root) == ["notes.txt"]


def test_a_later_answer_is_new_and_a_second_request_takes_it_too(shop: Shop) -> None:
    asked = shop.erase().erasure
    assert asked is not None
    later = int(asked.asked_at.timestamp() + 60) * 10**9
    shop.log(shop.answer(1, keys=[ANN], at_ns=later))

    assert shop.project.end_erasures(now=True) == []
    assert shop.rows("SELECT id FROM tidemill.predictions") == ["r1"]

    with open_project(shop.root, clock=Clock(now=lambda: utc_now() + timedelta(minutes=2))) as project:
        second = Shop(root=shop.root, project=project).erase().erasure

    assert second is not None
    assert (second.number, second.status) == (2, "done")
    assert shop.rows("SELECT id FROM tidemill.predictions") == []
