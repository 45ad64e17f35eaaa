"""What a version's held-out rows lead to expect: learnt once and kept; from scores alone where nothing else is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tidemill.monitoring.estimate import Expectation
from tidemill.project import Project, open_project
from tidemill.runner.expecting import FOLDER, Learnt, learn_expected
from tidemill.runner.functions.facts import ModelFacts

MODEL = "CREATE MODEL m OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['y']) AS SELECT * FROM 'rows.csv'"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    random = np.random.default_rng(5)
    lines = [f"{x:.4f},{kind},{random.random() < 1 / (1 + np.exp(-x))}" for x, kind in _rows(random, 3_000)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,kind,y", *lines]) + "\n")
    (tmp_path / "tidemill.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    with open_project(tmp_path) as opened:
        opened.sql(MODEL)
        yield opened


def _rows(random: np.random.Generator, count: int) -> list[tuple[float, str]]:
    return [(float(x), str(random.choice(["a", "b"]))) for x in random.normal(0, 2, count)]


def learnt(project: Project, columns: tuple[str, ...] = ("x", "kind")) -> Learnt:
    return learn_expected(project.stations, project.stations.load_model("m"), "roc_auc", columns)


def kept(project: Project) -> list[Path]:
    return sorted((project.keep / FOLDER).glob("*"))


def estimates(project: Project, found: Learnt) -> object:
    assert isinstance(found.expected, Expectation)
    assert found.sides is not None
    rows = project.held_out("m")
    _, scores = ModelFacts(project.stations.load_model("m")).evaluation()
    return found.expected.estimator.estimate(scores, sides=found.sides.columns(rows))


def test_columns_are_learnt_once_and_outlive_the_rows(project: Project) -> None:
    first = learnt(project)
    before = estimates(project, first)
    (file,) = kept(project)
    again = learnt(project)
    assert estimates(project, again) == before

    (project.root / "rows.csv").write_text("x,kind,y\n1,a,true\n")
    later = learnt(project)

    assert later.sides is not None
    assert later.sides.names == ["x", "kind"]
    assert kept(project) == [file]


def test_what_was_kept_and_is_damaged_is_learnt_again(project: Project) -> None:
    before = estimates(project, learnt(project))
    (file,) = kept(project)
    data = bytearray(file.read_bytes())

    for broken in (b"", bytes(data[: len(data) // 2]), bytes(data[:-400]) + b"\x00" * 400):
        file.write_bytes(broken)
        assert estimates(project, learnt(project)) == before
        assert file.read_bytes() == bytes(data)
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    assert estimates(project, learnt(project)) == before


def test_scores_alone_count_where_training_cannot_be_read_again_and_that_is_said(project: Project) -> None:
    (project.root / "rows.csv").write_text("x,kind,y\n1,a,true\n")

    found = learnt(project)

    assert found.sides is None
    assert isinstance(found.expected, Expectation)
    assert found.expected.note.startswith(
        "from scores alone: model m version 1 cannot be read again: the file rows.csv has changed"
    )
    assert kept(project) == []  # the file may come back


def test_columns_that_may_not_be_read_are_not(project: Project) -> None:
    one, none = learnt(project, ("x",)), learnt(project, ())

    assert one.sides is not None
    assert one.sides.names == ["x"]
    assert isinstance(none.expected, Expectation)
    assert none.expected.note == "from scores alone: no column is read beside them"


def test_a_folder_that_cannot_be_written_only_costs_time(project: Project) -> None:
    (project.keep / FOLDER).write_text("in the way")

    found = learnt(project)

    assert found.sides is not None
