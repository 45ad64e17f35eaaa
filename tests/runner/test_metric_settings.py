"""A metric of another task is refused as soon as the task is known: before anything is built, trained or deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import SettingsError
from tidemill.doctor import examine
from tidemill.evaluation.metric_names import CLASSIFIER_METRICS, OTHER_NAMES, REGRESSOR_METRICS
from tidemill.project import open_project

SQL = """
CREATE TABLE ratings AS SELECT range AS id, range % 7 AS x, (range % 7 + range % 3) * 1.5 AS stars FROM range(400);
CREATE OR REPLACE MODEL taste OPTIONS (model_type = 'linear_reg', input_label_cols = ['stars']) AS
SELECT x, stars FROM ratings;
"""
GATES = "[deployments.liking]\nmodel = 'Taste'\n[deployments.liking.gates]\nmetric = '{}'\n"
MONITOR = "[deployments.liking]\nmodel = 'Taste'\n[deployments.liking.monitor]\nmetric = '{}'\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "taste.sql").write_text(SQL)
    write(tmp_path, GATES, "r2_score")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root: Path, settings: str, metric: str) -> None:
    (root / "tidemill.toml").write_text(f"threads = 1\n{settings.format(metric)}")


@pytest.mark.parametrize(
    ("settings", "metric", "said"),
    [
        (GATES, "rmse", "did you mean mean_squared_error?"),
        (GATES, "r2_scor", "did you mean r2_score?"),
        (MONITOR, "MAE", "did you mean mean_absolute_error?"),
        (MONITOR, "roc_auc", "its metrics are mean_absolute_error, mean_squared_error"),
    ],
)
def test_a_plan_and_a_run_name_the_line_and_what_was_meant(
    root: Path, capsys: pytest.CaptureFixture[str], settings: str, metric: str, said: str
) -> None:
    write(root, settings, metric)

    statuses = [run_command(["plan"]), run_command(["run"])]

    err = capsys.readouterr().err
    assert statuses == [SettingsError.exit_status] * 2
    assert err.count(f"metric is {metric}, which says nothing of Taste, a LINEAR_REG\n  tidemill.toml:5:1") == 2
    assert said in err
    with open_project(root) as project:
        assert project.sql("SELECT * FROM tidemill.runs").fetchall() == []


def test_a_deploy_is_refused_by_the_version_when_no_statement_makes_the_model(root: Path) -> None:
    with open_project(root) as project:
        assert project.run().status == "ok"
    (root / "sql" / "taste.sql").write_text("CREATE TABLE other AS SELECT 1 AS one")
    write(root, GATES, "accuracy")

    with open_project(root) as project:
        project.plan()  # the task is not in the SQL any more
        with pytest.raises(SettingsError, match=r"liking\.gates\.metric is accuracy"):
            project.deploy("liking", override="let it in")
        assert project.status() == []


def test_the_doctor_says_it_of_the_settings_not_of_the_statements(root: Path) -> None:
    write(root, GATES, "f1")

    (bad,) = [one for one in examine(root) if one.status == "bad"]

    assert bad.check == "settings"
    assert "gates.metric is f1, which says nothing of Taste" in bad.detail
    assert "(tidemill.toml:5:1)" in bad.detail


def test_a_metric_of_the_task_and_models_without_a_label_pass(root: Path) -> None:
    write(root, GATES + "[deployments.groups.monitor]\nmetric = 'accuracy'\n", "mean_squared_error")
    (root / "sql" / "groups.sql").write_text(
        "CREATE MODEL groups OPTIONS (model_type = 'KMEANS', num_clusters = 2) AS SELECT x, stars FROM ratings"
    )

    with open_project(root) as project:
        assert len(project.plan().work) == 3


def test_other_names_of_metrics_lead_to_ours() -> None:
    assert set(OTHER_NAMES.values()) <= {*CLASSIFIER_METRICS, *REGRESSOR_METRICS}
    assert not set(OTHER_NAMES) & {*CLASSIFIER_METRICS, *REGRESSOR_METRICS}
