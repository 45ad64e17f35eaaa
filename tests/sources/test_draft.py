from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tidemill.core.errors import BindError, EmptyDataError, LabelError
from tidemill.new_project import create_project
from tidemill.sources.choose import Choice, choose
from tidemill.sources.draft import draft_model, draft_table, name_model, name_table
from tidemill.sources.files import Reader
from tidemill.sources.scan import scan_file
from tidemill.sources.sniff import sniff_table
from tidemill.sql.lint import lint_texts

WriteFile = Callable[[str, str], Path]


def _choose(reader: Reader, path: Path, predict: str) -> Choice:
    return choose(reader, sniff_table(reader, scan_file(reader, path)), predict)


def _draft(reader: Reader, path: Path, predict: str) -> tuple[str, str]:
    table = sniff_table(reader, scan_file(reader, path))
    choice = choose(reader, table, predict)
    statement = draft_table(table, name="people", path=f"data/{path.name}", label=choice.label.name)
    return statement, draft_model(table, choice, name="left", table_name="people")


def _people(rows: int = 600) -> str:
    random = np.random.default_rng(3)
    lines = ["customer_id,age,country,plan,paid,left"]
    for number in range(rows):
        age = random.integers(18, 90)
        plan = ["basic", "plus", "pro"][random.integers(3)]
        left = random.random() < (0.6 if plan == "basic" else 0.2)
        paid = "" if number == 7 else f"{random.random() * 90:.2f}"
        lines.append(f"c{number:05},{age},Norway,{plan},{paid},{'yes' if left else 'no'}")
    return "\n".join(lines) + "\n"


def test_the_statements_read_as_a_person_writes_them(reader: Reader, write_file: WriteFile) -> None:
    table, model = _draft(reader, write_file("people.csv", _people()), "left")
    assert (
        table
        == """\
-- people.csv as a checked table: 600 rows, 6 columns.
-- Every check below holds on the file as it is. New rows that break one are not published: the last good
-- version stays. A check that is NOT ENFORCED warns.
CREATE TABLE people (
  customer_id VARCHAR PRIMARY KEY,
  age         BIGINT  NOT NULL CHECK (age >= 0),
  country     VARCHAR NOT NULL,
  plan        VARCHAR NOT NULL CHECK (plan IN ('basic', 'plus', 'pro')) NOT ENFORCED,
  paid        DOUBLE  CHECK (paid >= 0),  -- 1 row has none
  "left"      BOOLEAN NOT NULL
) AS
SELECT *
FROM 'data/people.csv';
"""
    )
    lines = model.split("\n")
    assert lines[0].startswith("-- Predicts left from 600 rows: false (")
    assert "--   customer_id  identifies the row: every row has its own" in lines
    assert "--   country      is Norway in every row" in lines
    assert "  model_type = 'BOOSTED_TREE_CLASSIFIER'," in lines
    assert model.endswith('SELECT\n  age,\n  plan,\n  paid,\n  "left"\nFROM people;\n')


def test_two_columns_are_the_key_where_none_is_alone_and_chance_would_not_have_it_so(
    reader: Reader, write_file: WriteFile
) -> None:
    def draft(rows: list[tuple[int, int]]) -> str:
        lines = "".join(f"{unit},{cycle},{unit * cycle}.5\n" for unit, cycle in rows)
        path = write_file("engines.csv", "unit,cycle,heat\n" + lines)
        return draft_table(sniff_table(reader, scan_file(reader, path)), name="engines", path="x.csv")

    panel = [(unit, cycle) for unit in range(1, 11) for cycle in range(1, 31)]
    assert ",\n  PRIMARY KEY (unit, cycle)\n) AS" in draft(panel)
    assert "PRIMARY KEY" not in draft([*panel, (3, 7)])
    assert "PRIMARY KEY" not in draft([(1, 2), (2, 1), (2, 2)])


def test_a_few_amounts_that_count_up_are_no_key(reader: Reader, write_file: WriteFile) -> None:
    table = sniff_table(reader, scan_file(reader, write_file("t.csv", "month,sales\nJan,1\nFeb,2\nMar,3\n")))
    assert "PRIMARY KEY" not in draft_table(table, name="t", path="t.csv")


def test_few_rows_get_a_linear_model_that_is_judged_all_the_same(reader: Reader, write_file: WriteFile) -> None:
    _, model = _draft(reader, write_file("people.csv", _people(200)), "left")
    assert "model_type = 'LOGISTIC_REG'" in model
    assert "data_split_method = 'RANDOM'" in model


def test_rows_in_the_order_of_time_are_split_by_time(reader: Reader, write_file: WriteFile) -> None:
    dates = [(month, day) for month in range(1, 13) for day in range(1, 29)]
    days = "".join(f"2024-{month:02}-{day:02},{day * month % 17}.5,{day}\n" for month, day in dates)
    path = write_file("sales.csv", "sold_on,amount,promille\n" + days)
    choice = _choose(reader, path, "amount")
    assert (choice.task, choice.order) == ("regression", "sold_on")
    _, model = _draft(reader, path, "amount")
    assert "data_split_method = 'SEQ'" in model
    assert "CAST(sold_on AS TIMESTAMP) AS sold_on" in model
    assert "month(sold_on) AS sold_on_month" in model


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["yes", "no"], "binary"),
        (["0", "1"], "binary"),
        (["red", "green", "blue"], "multiclass"),
        (["1", "2", "3", "4", "5"], "multiclass"),
        ([str(number) for number in range(60)], "regression"),
        (["0.5", "1.5", "2.5"], "regression"),
    ],
)
def test_the_task_follows_from_the_label(reader: Reader, write_file: WriteFile, values: list[str], task: str) -> None:
    rows = "".join(f"{number % 13},{values[number * 7 % len(values)]}\n" for number in range(240))
    assert _choose(reader, write_file("t.csv", "x,label\n" + rows), "label").task == task


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([f"{n},same" for n in range(50)], LabelError, "one value, 'same'"),
        ([f"{n}," for n in range(50)], LabelError, "is empty"),
        ([f"{n % 7},word{n}" for n in range(90)], LabelError, "90 different texts"),
        ([f"{n % 7},2024-01-{n % 28 + 1:02}" for n in range(50)], LabelError, "type DATE"),
        ([f"3,{n % 2}" for n in range(50)], EmptyDataError, "nothing is left"),
        ([], EmptyDataError, "has no rows"),
    ],
)
def test_what_cannot_be_predicted_is_said(
    reader: Reader, write_file: WriteFile, rows: list[str], error: type[Exception], message: str
) -> None:
    path = write_file("t.csv", "\n".join(["x,label", *rows]) + "\n")
    with pytest.raises(error, match=message):
        _choose(reader, path, "label")


def test_an_unknown_column_is_answered_with_the_nearest(reader: Reader, write_file: WriteFile) -> None:
    with pytest.raises(BindError) as caught:
        _choose(reader, write_file("people.csv", _people(60)), "plam")
    assert caught.value.hint == "did you mean plan?"


def test_free_text_is_measured_when_nothing_else_is_left(reader: Reader, write_file: WriteFile) -> None:
    rows = "".join(f"{'spam' if n % 3 else 'ham'},this is message number {n * n} of many\n" for n in range(200))
    choice = _choose(reader, write_file("mail.csv", "kind,text\n" + rows), "kind")
    assert [feature.name for feature in choice.features] == ["text_length", "text_digits", "text_capitals"]


@pytest.mark.parametrize(
    ("stem", "project", "name"),
    [
        ("Telco-Customer-Churn", "churn", "telco_customer_churn"),
        ("hour", "bikes", "bikes_hour"),
        ("hour", "p_hour", "p_hour"),
        ("data", "My Project", "my_project_data"),
        ("2024 sales", "x", "n_2024_sales"),
        ("---", "shop", "shop_data"),
    ],
)
def test_a_table_is_named_after_its_file(stem: str, project: str, name: str) -> None:
    assert name_table(stem, project) == name


@pytest.mark.parametrize(
    ("label", "table", "project", "name"),
    [
        ("Churn", "telco_customer_churn", "churn", "churn"),
        ("churn", "churn", "churn", "churn_model"),
        ("churn", "churn", "telco", "telco"),
        ("class", "elec2", "power", "power"),
        ("column0", "sms", "tmp", "column0_model"),
    ],
)
def test_a_model_is_named_after_its_label_but_never_as_the_table(
    label: str, table: str, project: str, name: str
) -> None:
    assert name_model(label, table, project) == name


REAL = [
    ("telco_churn/Telco-Customer-Churn.csv", "Churn"),
    ("penguins/penguins_raw.csv", "Body Mass (g)"),
    ("german_credit/german_credit.csv", "credit_risk"),
    ("bike_sharing/day.csv", "cnt"),
    ("messy/montreal_bikes_2012_latin1.csv", "Berri 1"),
    ("messy/cleaned_IMDB_Dataset.csv", "Score"),
    ("messy/raha_hospital_dirty.csv", "condition"),
    ("elec2/elec2.parquet", "class"),
    ("vic_elec/vic_elec.parquet", "demand"),
    ("sms_spam/sms.tsv", "column0"),
]


@pytest.mark.parametrize(("file", "predict"), REAL)
def test_what_is_written_for_a_real_file_is_supported(
    shared_data: Path, tmp_path: Path, file: str, predict: str
) -> None:
    project = create_project(tmp_path / "project", file=shared_data / file, predict=predict)
    texts = [(path.name, path.read_text()) for path in project.files if path.suffix == ".sql"]
    assert [(row.status, row.reason) for row in lint_texts(texts, dialect="duckdb")] == [("supported", "")] * 2
    assert max(len(line) for _, text in texts for line in text.split("\n")) <= 200


def test_the_parts_of_the_bike_count_are_left_out(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "bike_sharing" / "hour.csv"
    choice = create_project(tmp_path / "bikes", file=file, predict="cnt").choice
    assert choice is not None
    left_out = {one.name: one.why for one in choice.left_out}
    assert left_out["casual"] == left_out["registered"] == "gives cnt away: cnt = casual + registered in every row"
    assert left_out["instant"] == "counts the rows"
    assert choice.order == "dteday"
