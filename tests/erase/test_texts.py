"""Values of people as a database shows them, and how they are found in texts and taken out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.core.errors import SettingsError
from tidemill.governance.subject import Value, digest, marks_of, read_value
from tidemill.governance.texts import ERASED, Known, Words

ANN = "ann@example.org"
WORDS = Words([ANN, "Zoë Öz", "12345678"])


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("7", {"7", "7.0"}),
        ("7.0", {"7.0", "7"}),
        ("007", {"007", "7", "7.0"}),
        ("9007199254740993", {"9007199254740993", "9007199254740992.0"}),
        ("1e3", {"1e3", "1000", "1000.0"}),
        ("nan", {"nan"}),
        ("٣", {"٣"}),
        ("0198F2D7-7F00-7000-8000-00000000BEEF", {"0198F2D7-7F00-7000-8000-00000000BEEF",
                                                  "0198f2d7-7f00-7000-8000-00000000beef"}),
        (ANN, {ANN}),
    ],
)  # fmt: skip
def test_a_value_is_known_in_each_form_that_a_type_shows_it_in(text: str, forms: set[str]) -> None:
    value = Value(column="x", text=text)

    assert {value.text, *value.shown} == forms


@pytest.mark.parametrize(
    ("text", "telling"),
    [("7", False), ("10042", False), ("C104", True), (ANN, True), ("Bo", False), ("2026-0301", True)],
)
def test_a_short_number_or_name_tells_nothing_by_itself(text: str, telling: bool) -> None:
    assert Value(column="x", text=text).telling == telling


@pytest.mark.parametrize("given", ["email", "=x", "email=", " =x", "email=a\0b"])
def test_what_names_nobody_is_refused(given: str) -> None:
    with pytest.raises(SettingsError):
        read_value(given)


def test_a_value_may_hold_an_equals_sign_and_columns_know_no_letter_case() -> None:
    assert read_value(" Email =a=b ") == Value(column="Email", text="a=b ")
    assert marks_of([read_value("Email=x")], "s") == marks_of([read_value("email=x")], "s")
    assert digest("s", "EMAIL", "x") == digest("s", "email", "x") != digest("s", "email", "X")


@pytest.mark.parametrize(
    ("text", "out"),
    [
        (f"{ANN} and joann@example.org", f"{ERASED} and joann@example.org"),
        ("Ann@Example.ORG, zoë öz", f"{ERASED}, {ERASED}"),
        ("ann@example.organic Zoë Özil 123456789 0012345678", "ann@example.organic Zoë Özil 123456789 0012345678"),
        (f'["{ANN}", 12345678, true, {{"{ANN}": 1.50}}]', f'["{ERASED}",null,true,{{"{ERASED}":1.5}}]'),
        (f'{{"a":"line\\n{ANN}"}}', f'{{"a":"line\\n{ERASED}"}}'),
        ('{"a":"Zo\\u00eb \\u00d6z"}', f'{{"a":"{ERASED}"}}'),
        (f"[{ANN}] is no JSON", f"[{ERASED}] is no JSON"),
        ('{"a": 1.50}', '{"a": 1.50}'),
    ],
)
def test_whole_words_are_taken_out_in_any_letter_case_and_json_stays_json(text: str, out: str) -> None:
    assert WORDS.out_of(text) == out
    assert WORDS.stand_in(text) == (text != out)


@settings(max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(
    st.text(), of)), st.sampled_from([ANN, "12345678", f"a {ANN} b", f"\n{ANN}", f'"{ANN}"']))  # fmt: skip
def test_json_without_them_is_json_in_which_they_are_not(value: object, named: str) -> None:
    text = json.dumps([value, named], ensure_ascii=False)

    out = WORDS.out_of(text)

    found = json.loads(out)
    assert not WORDS.stand_in(out)
    assert found[0] == json.loads(WORDS.out_of(json.dumps([value])))[0]


@pytest.mark.parametrize("value", [ANN, "7", "+31 6 1234", "Zoë Öz", "O'Neill-Öz, Dr.", "(x)"])
@pytest.mark.parametrize("text", ["{0}", "row {0}: bad", "\n{0}\t5", "<{0}>", '["a", {{"k": "x {0} y"}}]'])
def test_a_value_is_found_by_its_digest_wherever_it_stands_as_words(value: str, text: str) -> None:
    known = Known(marks_of([Value(column="c", text=value)], "salt"), "salt")

    assert known.found_in(text.format(value)) == {value}
    assert Known(marks_of([Value(column="c", text=value)], "other"), "salt").found_in(text.format(value)) == set()


def test_numbers_in_json_are_found_by_their_digest() -> None:
    known = Known(marks_of([Value(column="c", text="1042")], "salt"), "salt")

    assert known.found_in('{"c":1042,"d":10420}') == {"1042"}
    assert known.found_in('{"c":1042.0}') == {"1042", "1042.0"}
