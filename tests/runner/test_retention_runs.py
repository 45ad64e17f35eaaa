"""A run leaves what the settings keep, and does not drop a model that answers somewhere."""

from __future__ import annotations

from pathlib import Path

from tests.runner.conftest import write_visits

from tidemill.core.errors import StateError
from tidemill.project import Project, open_project
from tidemill.registry.aliases import set_alias
from tidemill.warehouse.control.models import list_versions


def test_a_run_prunes_as_the_settings_say(project: Project, root: Path) -> None:
    project.run()
    set_alias(project.db, "buyers", "first", 1, who="ada")
    project.close()
    (root / "tidemill.toml").write_text("keep_versions = 2\nkeep_days = 0\n")

    with open_project(root) as reopened:
        for rows in (601, 602, 603):
            write_visits(root, rows=rows)
            reopened.run()

        assert [version.version for version in list_versions(reopened.db, "buyers")] == [4, 3, 1]


def test_a_statement_that_is_gone_does_not_drop_a_model_with_an_alias(project: Project, root: Path) -> None:
    project.run()
    set_alias(project.db, "buyers", "champion", 1, who="ada")
    (root / "sql" / "model.sql").unlink()

    report = project.run()

    (step,) = [step for step in report.steps if step.asset == "buyers"]
    assert isinstance(step.error, StateError)
    assert "alias champion names version 1" in step.error.message
    assert project.model("buyers").version == 1
