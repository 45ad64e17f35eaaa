"""tidemill estimate: quality of any rows without labels, with its check, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidemill.cli.main import run_command

ROWS = """SELECT i AS id, x,
 CASE WHEN hash(i * 7 + {seed}) % 1000 / 1000 < 1 / (1 + exp(-x)) THEN 'yes' ELSE 'no' END AS y,
 ['a', 'b', 'c'][1 + (hash(i + {seed}) % 3)::INT] AS kind, 2 * x + (hash(i * 5 + {seed}) % 100) / 50 AS z
 FROM (SELECT i, (hash(i * 3 + {seed}) % 600)::DOUBLE / 100 - 3 AS x FROM range({rows}) t(i))"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estimate")
    (folder / "tidemill.toml").write_text("")
    (folder / "sql").mkdir()
    (folder / "sql" / "all.sql").write_text(
        f"CREATE TABLE old AS {ROWS.format(seed=1, rows=3000)};\n"
        f"CREATE TABLE new AS {ROWS.format(seed=70_000, rows=800)};\n"
        "CREATE MODEL buys OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['y']) AS SELECT x, y FROM old;\n"
        "CREATE MODEL kinds OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['kind']) AS"
        " SELECT x, kind FROM old;\n"
        "CREATE MODEL sums OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['z']) AS SELECT x, z FROM old;\n"
        "CREATE MODEL formed TRANSFORM (x * 2 AS x2, y)"
        " OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['y']) AS SELECT x, y FROM old;\n"
        "CREATE MODEL tiny OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['y']) AS"
        " SELECT x, y FROM old LIMIT 300;\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_command(["run"]) == 0
    return folder


@pytest.fixture(autouse=True)
def there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    capsys.readouterr()
    assert run_command(["estimate", *arguments]) == status
    out, err = capsys.readouterr()
    return err if status else out


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(printed(capsys, *arguments, "--json"))
    return found


def truth(capsys: pytest.CaptureFixture[str], sql: str) -> dict[str, float]:
    capsys.readouterr()
    assert run_command(["query", sql, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    return dict(row)


@pytest.mark.parametrize(
    ("model", "label", "judged"),
    [
        ("buys", "y", "accuracy"),
        ("formed", "y", "accuracy"),
        ("kinds", "kind", "log_loss"),
        ("sums", "z", "mean_absolute_error"),
    ],
)
def test_what_is_expected_is_what_labels_show(
    capsys: pytest.CaptureFixture[str], model: str, label: str, judged: str
) -> None:
    labelled = "SELECT * FROM new WHERE id % 2 = 0"
    found = told(capsys, model, "--on", "SELECT x FROM new", "--check", labelled, "--metric", judged)
    real = truth(capsys, f"SELECT * FROM ML.EVALUATE(MODEL {model}, (SELECT x, {label} FROM new))")

    assert (found["state"], found["rows"], found["version"]) == ("estimated", 800, 1)
    metrics = found["metrics"]
    assert isinstance(metrics, dict)
    assert metrics[judged]["low"] < real[judged] < metrics[judged]["high"]
    assert str(found["why"]).endswith("they agree")
    assert (found["reliability"] is None) == (model == "sums")
    assert found["columns"] == ([] if model == "formed" else ["x"])
    assert found["alone"] == ("from scores alone: no column is read beside them" if model == "formed" else "")


def test_a_person_reads_it_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "buys", "--on", "new").splitlines()

    assert lines[0] == "buys version 1 on 800 rows of new"
    assert lines[2].split() == ["metric", "expected", "low", "high", "held", "out"]
    assert [line.split()[0] for line in lines[3:10]] == [
        "precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc", "brier_score",
    ]  # fmt: skip
    assert lines[11].startswith("roc_auc is worse than on the 600 held-out rows by ")
    assert lines[12] == "check: not checked: give rows with labels to check it by"


def test_an_error_that_grew_is_told_as_a_share(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "sums", "--on", "new").splitlines()

    (said,) = [line for line in lines if line.startswith("mean_absolute_error is ")]
    value = float(said.split(" by ")[1].split(" %")[0])
    (row,) = [line.split() for line in lines if line.startswith("mean_absolute_error  ")]
    assert value == pytest.approx(abs(100 * (float(row[1]) / float(row[4]) - 1)), abs=0.3)


def test_it_is_off_where_labels_contradict_it(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "SELECT * REPLACE (CASE WHEN id % 4 = 0 AND y = 'no' THEN 'yes' ELSE y END AS y) FROM new"

    found = told(capsys, "buys", "--on", "new", "--check", wrong)

    assert (found["state"], found["metrics"], found["loss"]) == ("off", {}, None)
    assert str(found["why"]).endswith("labels do not follow the scores as they did")


def test_rows_beyond_all_that_trained_it_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    far = "SELECT CASE WHEN id % 8 = 0 THEN 9.5 WHEN id % 8 = 1 THEN 'nan'::DOUBLE ELSE x * 0.9 END AS X FROM new"

    assert told(capsys, "buys", "--on", "SELECT x * 0.9 AS x FROM new")["beyond"] == {}
    assert told(capsys, "buys", "--on", far)["beyond"] == {"x": 100}
    assert told(capsys, "formed", "--on", far)["beyond"] == {"x": 100}
    lines = printed(capsys, "buys", "--on", far).splitlines()
    assert lines[-2].startswith("beyond all it was trained on: x in 100 rows. How good it is there nothing has shown")


def test_too_few_rows_on_any_side_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not enough data: fewer than 100 answers" in printed(capsys, "buys", "--on", "SELECT * FROM new LIMIT 5")
    assert "not enough data: no rows" in printed(capsys, "buys", "--on", "SELECT * FROM new WHERE false")
    assert "not enough data: no rows were held out of training" in printed(capsys, "tiny", "--on", "new")
    few = printed(capsys, "buys", "--on", "new", "--check", "SELECT * FROM new LIMIT 9")
    assert "check: not checked: not enough data: 9 labelled answers" in few


def test_what_is_wrong_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean new" in printed(capsys, "buys", "--on", "nev", status=5)
    assert "accuracy" in printed(capsys, "buys", "--on", "new", "--metric", "acuracy", status=2)
    assert "no column x" in printed(capsys, "buys", "--on", "SELECT y FROM new", status=3)
    said = printed(capsys, "sums", "--on", "new", "--metric", "r2_score")
    assert "r2_score cannot be estimated without labels; mean_absolute_error, mean_squared_error" in said


def test_rows_that_are_easier_than_the_held_out_ones_are_said_to_be_better(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "buys", "--on", "SELECT x FROM new WHERE abs(x) > 2")

    assert "roc_auc is better than on the 600 held-out rows by 0." in said
    assert "worse" not in said
