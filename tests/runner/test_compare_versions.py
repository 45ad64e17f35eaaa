"""Two versions side by side: what changed, and what they decide on rows that neither has seen."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score
from tests.runner.conftest import MODEL, write_visits

from tidemill.core.errors import NotFoundError
from tidemill.project import Project
from tidemill.registry.aliases import set_alias
from tidemill.runner.held_out import fair_rows, held_out_rows
from tidemill.warehouse.control.models import get_version

NOISY = MODEL.replace("SELECT * EXCLUDE (id)", "SELECT * REPLACE (bought = (hash(id) % 7 > 0) AS bought)")
REGRESSION = """
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['pages'], l2_reg = {}) AS
SELECT country, bought, id % 3 AS part, pages FROM features;
"""


def write_model(root: Path, text: str) -> None:
    (root / "sql" / "model.sql").write_text(text)


@pytest.fixture
def two(project: Project, root: Path) -> Project:
    """Two versions: the second has other options and looks at fewer columns."""
    write_model(root, NOISY)
    project.run()
    write_model(
        root, NOISY.replace("OPTIONS (", "OPTIONS (l1_reg = 5, ").replace("SELECT *", "SELECT * EXCLUDE (country)")
    )
    project.run()
    return project


def test_the_statements_differ_line_by_line_whatever_their_layout(two: Project) -> None:
    found = two.compare("buyers", 1, 2)

    changed = [line for line in found.sql[2:] if line[0] in "+-"]
    assert "+OPTIONS (l1_reg = 5," in changed
    assert "-OPTIONS (model_type = 'LOGISTIC_REG'," in changed
    assert not any("FROM" in line for line in changed)
    assert [(change.name, change.old, change.new) for change in found.options] == [("l1_reg", 0.0, 5.0)]
    assert found.data == ()
    assert not found.same


def test_data_that_changed_is_told_with_its_versions_and_how_features_moved(project: Project, root: Path) -> None:
    project.run()
    lines = [f"{i},{(i * 7) % 11 + 4},{('NL', 'DE', 'FR', 'BE')[i % 4]}" for i in range(700)]
    (root / "visits.csv").write_text("\n".join(["id,pages,country", *lines]) + "\n")
    project.run()

    found = project.compare("buyers", 1, 2)

    assert found.sql == ()
    tables = project.warehouse.history("features")
    assert [(change.name, change.old, change.new) for change in found.data] == [
        ("table features", f"version {tables[1].version}", f"version {tables[0].version}"),
        ("rows judged on", 120, 140),
        ("rows trained on", 480, 560),
    ]
    by_name = {shift.name: shift for shift in found.features}
    assert by_name["pages"].mean == pytest.approx(4 / 3.16, abs=0.1)
    assert by_name["country"].categories == (3, 4)


def test_flips_are_those_that_ml_predict_shows_on_the_same_rows(two: Project) -> None:
    found = two.compare("buyers", 1, 2)

    assert found.decisions is not None
    held = fair_rows(two.stations, get_version(two.db, "buyers", 1), get_version(two.db, "buyers", 2))
    called = [two.model("buyers", version).predict(held.table).to_arrow() for version in (1, 2)]
    old, new = (table["predicted_bought"].to_pylist() for table in called)
    assert found.decisions.rows == held.table.num_rows > 0
    assert found.decisions.flipped == sum(a != b for a, b in zip(old, new, strict=True))
    labels = held.table["bought"].to_pylist()
    right = sum(a != b == y for a, b, y in zip(old, new, labels, strict=True))
    assert found.decisions.became_right == right
    scores = [[positive(row) for row in table["predicted_bought_probs"].to_pylist()] for table in called]
    area = next(one for one in found.on_same_rows if one.metric == "roc_auc")
    assert area.old == pytest.approx(roc_auc_score(labels, scores[0]), abs=1e-9)
    assert area.new == pytest.approx(roc_auc_score(labels, scores[1]), abs=1e-9)
    assert area.difference == pytest.approx(area.new - area.old)


def positive(probabilities: list[dict[str, Any]]) -> float:
    return next(float(one["prob"]) for one in probabilities if one["label"])


def test_rows_that_cannot_be_told_apart_are_scored_with_a_warning(project: Project, root: Path) -> None:
    project.run()
    write_model(root, MODEL.replace("(id)", "(id) REPLACE (pages + 0.5 AS pages)"))
    project.run()
    write_model(root, MODEL.replace("(id)", "(id, pages)"))
    project.run()

    found = project.compare("buyers", 1, 3)

    assert found.rows_of == "120 rows held out of version 1"
    assert found.notes == (
        "rows equal to those held out of version 1 trained the other version: its figures may flatter it",
    )


def test_rows_that_the_other_version_was_trained_on_are_left_out(two: Project) -> None:
    first, second = get_version(two.db, "buyers", 1), get_version(two.db, "buyers", 2)

    held, fair = held_out_rows(two.stations, first), fair_rows(two.stations, first, second)

    assert fair.left_out == held.table.num_rows - fair.table.num_rows > 0
    found = two.compare("buyers", 1, 2)
    assert any("were left out: the other version was trained on them" in note for note in found.notes)


def test_versions_that_split_the_same_rows_alike_keep_all_of_them(project: Project, root: Path) -> None:
    project.run()
    write_model(root, MODEL.replace("OPTIONS (", "OPTIONS (l2_reg = 1, "))
    project.run()

    found = project.compare("buyers", 1, 2)

    assert found.rows_of == "120 rows held out of version 2"
    assert found.notes == ()


def test_rows_that_came_after_the_old_version_count_as_unseen(project: Project, root: Path) -> None:
    write_model(root, MODEL.replace("(id)", "()").replace(" * EXCLUDE ()", " *"))
    project.run()
    write_visits(root, rows=1200)
    project.run()

    fair = fair_rows(project.stations, get_version(project.db, "buyers", 2), get_version(project.db, "buyers", 1))

    ids = set(fair.table["id"].to_pylist())
    old = set(held_out_rows(project.stations, get_version(project.db, "buyers", 1)).table["id"].to_pylist())
    assert all(one >= 600 or one in old for one in ids)
    assert any(one >= 600 for one in ids)
    assert any(one < 600 for one in ids)


def test_a_version_that_has_seen_the_rows_is_said_to_have(project: Project, root: Path) -> None:
    for text in ("l2_reg = 1", "l2_reg = 2"):
        write_model(root, MODEL.replace("OPTIONS (", f"OPTIONS (data_split_method = 'NO_SPLIT', {text}, "))
        project.run()

    found = project.compare("buyers", 1, 2)

    assert found.rows_of == "600 rows that trained version 2"
    assert "it has seen these rows, its figures flatter it" in found.notes[0]


def test_other_labels_cannot_be_scored_on_the_same_rows(project: Project, root: Path) -> None:
    project.run()
    write_model(root, REGRESSION.format(0))
    project.run()

    found = project.compare("buyers", 1, 2)

    assert found.decisions is None
    assert found.notes == ("not scored on the same rows: version 1 predicts bought (False, True), version 2 pages",)


def test_a_regression_says_how_far_predictions_move(project: Project, root: Path) -> None:
    for strength in (0, 1000):
        write_model(root, REGRESSION.format(strength))
        project.run()

    found = project.compare("buyers", 1, 2)

    assert found.decisions is not None
    assert (found.decisions.flipped, found.decisions.moved > 0) == (0, True)
    assert {one.metric for one in found.on_same_rows} >= {"mean_absolute_error", "r2_score"}


def test_a_version_and_itself_are_the_same(two: Project) -> None:
    set_alias(two.db, "buyers", "champion", 1, who="ada")

    found = two.compare("buyers", 1, "champion")

    assert found.same
    assert (found.sql, found.options, found.data, found.features) == ((), (), (), ())
    assert found.decisions is not None
    assert (found.decisions.flipped, found.decisions.moved) == (0, 0.0)
    assert json.dumps(asdict(found), default=str)
    with pytest.raises(NotFoundError, match="no version 9"):
        two.compare("buyers", 1, 9)
