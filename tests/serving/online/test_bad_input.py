"""What a request may say wrong, and what it is told: the row, the column, and what the column takes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runner.functions.function_bench import Bench
from tests.serving.online.online_bench import ROWS, opened, transform_items

from tidemill.core.errors import BodyError, CorruptError, InputError, StateError
from tidemill.serving.online.along import inputs_with
from tidemill.serving.online.model import OnlineModel

COLUMNS = "number, whole, money, colour, yes, day, clock, moment, instant, raw, dense, words, pairs, part"
GOOD: dict[str, Any] = {
    "number": 1.5,
    "whole": 7,
    "money": 12.25,
    "colour": "red",
    "yes": True,
    "day": "1970-01-01",
    "clock": "13:45:00",
    "moment": "2024-02-29T13:45:00",
    "instant": "1969-12-31T23:45:00+00:00",
    "raw": "azE=",
    "dense": [1.0, None, 0.5],
    "words": ["x1", None],
    "pairs": [{"index": 1, "value": 1.5}],
    "part": {"u": 1, "v": "w1"},
}


@pytest.fixture(scope="module")
def model(bench: Bench) -> OnlineModel:
    return opened(
        bench.train("bad_input", "BOOSTED_TREE_CLASSIFIER", f"SELECT {COLUMNS}, sold FROM {ROWS}", "sold",
                    max_iterations=5)
    )  # fmt: skip


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"rows": list(rows)}).encode()


def score(model: OnlineModel, *rows: dict[str, Any]) -> list[float]:
    found: list[float] = model.answer(model.rows_of_body(body(*rows))).scores.tolist()
    return found


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("number", "1.5", "a number"),
        ("number", True, "a number"),
        ("number", [1], "a number"),
        ("whole", 1.5, "has a fraction"),
        ("whole", 2**53 + 1, "would become 9007199254740992"),
        ("money", 2**60 + 1, "exactly"),
        ("money", "twelve", "a number"),
        ("colour", 5, "a string"),
        ("colour", ["red"], "a string"),
        ("yes", 1, "true or false"),
        ("yes", "true", "true or false"),
        ("day", "2024-02-30", "a date like"),
        ("day", 19000, "a date like"),
        ("clock", "25:00:00", "a time like"),
        ("moment", "yesterday", "a time like"),
        ("instant", "2024-13-01T00:00:00Z", "a time like"),
        ("instant", 1700000000, "a time like"),
        ("raw", "not base64!", "base64"),
        ("dense", [1.0, 2.0], "an array of 3 numbers"),
        ("dense", [1.0, "2", 3.0], "a number"),
        ("dense", "1,2,3", "an array"),
        ("words", [1], "a string"),
        ("pairs", [{"index": 1}], "value, which is missing"),
        ("part", {"u": 1}, "v, which is missing"),
        ("part", [1, "w1"], "an object"),
    ],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_value_of_another_type_is_told_with_its_row_and_column(
    model: OnlineModel, column: str, value: Any, words: str, rows: int
) -> None:
    given_rows = [*[GOOD] * (rows - 1), GOOD | {column: value}]
    with pytest.raises(InputError, match=words) as caught:
        model.rows_of_body(body(*given_rows))
    assert caught.value.facts["row"] == rows - 1
    assert caught.value.facts["column"] == column
    assert (caught.value.code, caught.value.http_status) == ("TM-DATA-INPUT", 422)


@pytest.mark.parametrize("column", list(GOOD))
def test_a_missing_column_is_told_and_null_must_be_said(model: OnlineModel, column: str) -> None:
    without = {name: value for name, value in GOOD.items() if name != column}
    with pytest.raises(InputError, match=f"row 1 has no column {column}") as caught:
        model.rows_of_body(body(GOOD, without))
    assert caught.value.facts == {"row": 1, "column": column}
    assert score(model, GOOD | {column: None})


def test_a_name_nearly_right_is_suggested(model: OnlineModel) -> None:
    row = {("colr" if name == "colour" else name): value for name, value in GOOD.items()}
    with pytest.raises(InputError) as caught:
        model.rows_of_body(body(row))
    assert "colr" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object but an array"),
        (b"null", "but null"),
        (b"3", "but a number"),
        (b"\xff\xfe", "not JSON"),
        (b'{"rows": "\xff"}', "not"),
        (b"{}", "neither rows nor columns"),
        (b'{"rows": [], "columns": {}}', "both rows and columns"),
        (b'{"rows": []}', "there are no rows"),
        (b'{"columns": {}}', "there are no rows"),
        (b'{"rows": {}}', "rows is not an array but an object"),
        (b'{"columns": []}', "columns is not an object"),
        (b'{"columns": {"number": 1}}', "column number is not an array"),
        (b'{"columns": {"number": [1], "whole": [1, 2]}}', "has 1 values and column whole has 2"),
        (b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"rows": [{"number": "\\ud800"}]}', "not JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_bad_request(model: OnlineModel, text: bytes, words: str) -> None:
    with pytest.raises(BodyError, match=words) as caught:
        model.rows_of_body(text)
    assert caught.value.http_status == 400


def test_a_message_has_values_as_json_has_them(model: OnlineModel) -> None:
    with pytest.raises(InputError, match="got true$"):
        model.rows_of_body(body(GOOD | {"colour": True}))
    with pytest.raises(InputError, match='got {"deep": null}$'):
        model.rows_of_body(body(GOOD | {"whole": {"deep": None}}))
    with pytest.raises(BodyError, match="^the body is not JSON: expected"):
        model.rows_of_body(b"[1 2]")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused_with_what_to_write(model: OnlineModel, literal: str) -> None:
    with pytest.raises(BodyError) as caught:
        model.rows_of_body(body(GOOD).replace(b"1.5", literal.encode(), 1))
    assert "a missing number is null" in caught.value.hint


def test_numbers_out_of_the_range_of_floats_are_refused(model: OnlineModel) -> None:
    for text in (b"1e999", b"-1e999", b"1" * 400):
        with pytest.raises(InputError):
            model.rows_of_body(body(GOOD).replace(b"1.5", text, 1))


def test_rows_that_are_not_objects_are_told(model: OnlineModel) -> None:
    strange: list[Any] = [None, [], 3, "x"]
    for row in strange:
        with pytest.raises(InputError, match="row 0 is not an object") as caught:
            model.rows_of_body(json.dumps({"rows": [row]}).encode())
        assert caught.value.facts["row"] == 0


def test_whole_numbers_may_be_written_as_floats_and_decimals_as_text(model: OnlineModel) -> None:
    assert score(model, GOOD | {"whole": 7.0, "money": "12.25", "number": 1}) == score(model, GOOD | {"number": 1.0})
    assert score(model, GOOD | {"whole": 2**60})


def test_letter_case_of_names_does_not_matter_and_the_exact_name_wins(model: OnlineModel) -> None:
    shouted = {name.upper(): value for name, value in GOOD.items()}
    assert score(model, shouted) == score(model, GOOD)
    assert score(model, GOOD | {"NUMBER": "nonsense"}) == score(model, GOOD)
    parsed = model.rows_of_body(body(shouted))
    assert list(json.loads(parsed.inputs_json())["rows"][0]) == [given.name for given in model.inputs]


def test_columns_that_the_model_does_not_have_are_ignored_and_not_logged(model: OnlineModel) -> None:
    more = GOOD | {"password": "secret", "other": {"deep": [1]}}
    parsed = model.rows_of_body(body(more))
    assert model.answer(parsed).scores.tolist() == score(model, GOOD)
    assert b"secret" not in parsed.inputs_json()


def test_columns_that_slices_name_are_logged_as_they_were_sent_and_nothing_else_is(model: OnlineModel) -> None:
    names = model.unread(["Site", "COLOUR", "shelf"])
    assert names == ["Site", "shelf"]
    rows = [GOOD | {"site": 7.0, "other": "x"}, GOOD | {"SITE": "a", "shelf": {"deep": 1}}, GOOD | {"site": None}]

    kept = json.loads(inputs_with(model.rows_of_body(body(*rows)), names))["rows"]
    plain = json.loads(model.rows_of_body(body(*[GOOD] * 3)).inputs_json())["rows"]
    assert kept == [plain[0] | {"Site": 7.0}, plain[1] | {"Site": "a"}, plain[2] | {"Site": None}]
    assert json.loads(inputs_with(model.rows_of_dicts(rows), names))["rows"] == kept

    columns = {name: [value, value] for name, value in GOOD.items()} | {"site": ["a", None], "shelf": [1]}
    by_column = model.rows_of_body(json.dumps({"columns": columns}).encode())
    found = json.loads(inputs_with(by_column, names))
    sites = found["columns"]["Site"] if "columns" in found else [row.get("Site") for row in found["rows"]]
    assert sites == ["a", None]
    assert b"shelf" not in inputs_with(by_column, names)

    bad = model.rows_of_body(body(GOOD | {"site": 1}, GOOD | {"whole": "x", "site": 2}), each=True)
    assert json.loads(inputs_with(bad, names))["rows"][1] is None
    assert b"Site" not in inputs_with(model.rows_of_dicts([GOOD | {"site": "\ud800"}]), names)


def test_instants_are_alike_in_any_zone_and_without_one_are_utc(model: OnlineModel) -> None:
    zones = ["1970-01-01T00:45:00+01:00", "1969-12-31 23:45:00", "1969-12-31T23:45:00Z", "1969-12-31 23:45:00 UTC"]
    first, *others = [score(model, GOOD | {"instant": text}) for text in zones]
    assert others == [first] * 3


@pytest.mark.parametrize("key", ["id", "colour", "whole"])
def test_keys_are_texts_whether_or_not_they_are_inputs(model: OnlineModel, key: str) -> None:
    rows: list[dict[str, Any]] = [
        GOOD | {"id": 17},
        GOOD | {"id": "17", "colour": None, "whole": 8},
        GOOD | {"whole": 2.0},
    ]
    known: dict[str, list[str | None]] = {"id": ["17", "17", None], "colour": ["red", None, "red"]}
    expected = known.get(key, ["7", "8", "2"])
    for number in range(3):
        parsed = model.rows_of_body(body(rows[number]), key=key)
        assert parsed.keys == [expected[number]]
        assert b'"id"' not in parsed.inputs_json()
    assert model.rows_of_body(body(*rows[:2]), key=key).keys == expected[:2]
    assert model.rows_of_dicts(rows[:2], key=key).keys == expected[:2]
    by_column = {name: [row.get(name) for row in rows[:2]] for name in rows[0]}
    parsed = model.rows_of_body(json.dumps({"columns": by_column}).encode(), key=key)
    assert parsed.keys == expected[:2]
    assert b'"id"' not in parsed.inputs_json()


def test_only_the_bad_rows_fail_when_that_is_asked_for(model: OnlineModel) -> None:
    rows = [GOOD, GOOD | {"whole": "x"}, GOOD | {"day": "nonsense"}, GOOD | {"number": 3.0}]
    parsed = model.rows_of_body(body(*rows), key="colour", each=True)
    answers, errors = model.answer_each(parsed)
    assert [error and (error.row, error.column) for error in errors] == [None, (1, "whole"), (2, "day"), None]
    assert answers.scores[[0, 3]].tolist() == score(model, rows[0], rows[3])
    assert np.isnan(answers.scores[[1, 2]]).all()
    assert answers.predictions[1] is None
    assert parsed.keys == ["red"] * 4
    said = json.loads(model.encode_predictions(answers, list("abcd"), errors))["predictions"]
    assert set(said[0]) == {"id", "prediction", "probabilities"}
    assert said[1]["error"]["column"] == "whole"
    assert json.loads(parsed.inputs_json())["rows"][1] is None
    with pytest.raises(InputError):
        model.answer(parsed)


def test_rows_that_all_fail_have_an_error_each(model: OnlineModel) -> None:
    answers, errors = model.answer_each(model.rows_of_body(body({}, {}), each=True))
    assert all(errors)
    assert answers.predictions == [None, None]
    answers, errors = model.answer_each(model.rows_of_body(body(GOOD), each=True))
    assert errors == [None]


def test_a_response_names_the_model_the_version_and_each_class(model: OnlineModel) -> None:
    answers = model.answer(model.rows_of_body(body(GOOD)))
    assert answers.probabilities is not None
    said = json.loads(model.encode_predictions(answers, ["r-1"]))
    no, yes = answers.probabilities[0]
    expected = {"id": "r-1", "prediction": answers.predictions[0], "probabilities": {"no": no, "yes": yes}}
    assert said == {"model": "bad_input", "version": 1, "predictions": [expected]}


def test_a_version_can_read_what_another_has_read(model: OnlineModel, bench: Bench) -> None:
    other = opened(bench.train("reread", "LINEAR_REG", f"SELECT number, small, price FROM {ROWS}", "price"))
    rows = [GOOD | {"small": 2.5, "id": 4}] * 2
    parsed = model.rows_of_body(body(*rows), key="id")
    again = other.reread(parsed, key="id")
    assert again.keys == ["4", "4"]
    assert other.answer(again).predictions == other.answer(other.rows_of_dicts(rows)).predictions


def test_answers_are_given_while_other_rows_are_read(model: OnlineModel) -> None:
    """One model is shared by threads: nothing in it changes with a request."""
    from concurrent.futures import ThreadPoolExecutor

    rows = [GOOD | {"number": float(i)} for i in range(8)]
    expected = [score(model, row) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: score(model, rows[i % 8]), range(200))) == expected * 25


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["u", "v", "index", "value"]), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(list(GOOD)), ANY, max_size=3), single=st.booleans())
def test_whatever_a_client_sends_is_answered_or_told(model: OnlineModel, changes: dict[str, Any], single: bool) -> None:
    rows = [GOOD | changes] if single else [GOOD, GOOD | changes]
    try:
        text = json.dumps({"rows": rows}).encode()
    except UnicodeEncodeError:
        return
    try:
        answers = model.answer(model.rows_of_body(text))
    except InputError:
        with pytest.raises(InputError):
            model.rows_of_dicts(rows)
    else:
        assert np.isfinite(answers.scores).all()
        assert answers.scores.tolist() == model.answer(model.rows_of_dicts(rows)).scores.tolist()


def test_values_that_a_transform_in_the_engine_cannot_take_are_told(bench: Bench) -> None:
    items = transform_items("LOWER(colour) AS l, CAST(colour AS INTEGER) AS n, strftime(moment, '%A') AS a, price")
    sql = f"SELECT * REPLACE (CAST(id AS VARCHAR) AS colour) FROM {ROWS}"
    online = opened(bench.train("engine_input", "LINEAR_REG", sql, "price", transform=items))
    row = {"colour": "12", "moment": "2024-02-29T13:45:00"}
    assert online.answer(online.rows_of_body(body(row))).predictions
    for wrong in ({"colour": "red"}, {"moment": "never"}):
        with pytest.raises(InputError) as caught:
            online.rows_of_body(body(row, row | wrong))
        assert caught.value.facts["row"] == 1
    _, errors = online.answer_each(online.rows_of_body(body(row, row | {"colour": "red"}), each=True))
    assert [error is None for error in errors] == [True, False]


def test_a_transform_that_needs_the_engine_says_so_where_there_is_none(bench: Bench) -> None:
    items = transform_items("FARM_FINGERPRINT(colour) % 7 AS h, price")
    model = bench.train("needs_engine", "LINEAR_REG", f"SELECT * FROM {ROWS}", "price", transform=items)
    with pytest.raises(StateError, match="needs the engine"):
        OnlineModel.open(model.files, name="m", version=1, digest="d")


def test_a_version_of_a_newer_tidemill_is_refused(bench: Bench, model: OnlineModel) -> None:
    files = dict(bench.models["bad_input"].files)
    files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | {"format": 99}).encode()
    with pytest.raises(StateError, match="newer Tidemill"):
        OnlineModel.open(files, name="m", version=1, digest="d")


def test_a_graph_that_is_none_is_refused(bench: Bench, model: OnlineModel) -> None:
    files = dict(bench.models["bad_input"].files)
    for graph in (b"", b"nonsense", files["scores.onnx"][: len(files["scores.onnx"]) // 2]):
        with pytest.raises(CorruptError, match="refused"):
            OnlineModel.open(files | {"scores.onnx": graph}, name="m", version=1, digest="d")
    del files["scores.onnx"]
    with pytest.raises(CorruptError, match="refused"):
        OnlineModel.open(files | {"model.onnx": b"nonsense"}, name="m", version=1, digest="d")


def test_golden_rows_show_a_graph_that_answers_otherwise(bench: Bench, model: OnlineModel) -> None:
    files = dict(bench.models["bad_input"].files)
    assert model.check_golden() == pytest.approx(0.0, abs=1e-6)
    golden = json.loads(files["golden.json"])
    assert len(golden["rows"]) == 20
    assert all(any(row[name] is None for row in golden["rows"]) for name in GOOD)
    golden["scores"] = [[a + 0.01, b - 0.01] for a, b in golden["scores"]]
    changed = OnlineModel.open(files | {"golden.json": json.dumps(golden).encode()}, name="m", version=1, digest="d")
    assert changed.check_golden() == pytest.approx(0.01, rel=1e-3)
    del files["golden.json"]
    assert OnlineModel.open(files, name="m", version=1, digest="d").check_golden() is None
