"""The gates on customers who left and on incomes of a census: what they let pass and what they stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.core.sections import one_deployment
from tidemill.project import Project, open_project
from tidemill.runner.gates import run_gates
from tidemill.warehouse.control.deployments import GateResult

# Rows that train are chosen by a hash, and so are the rows whose label a bad batch gets wrong.
CENSUS = "SELECT * EXCLUDE (income), {label} AS income, hash(fnlwgt, age) % 3 = 0 AS holdout FROM census"
FLIPPED = (
    "CASE WHEN hash(fnlwgt, age) % 3 > 0 AND hash(fnlwgt, 7) % 10 = 0 "
    "THEN (SELECT max(income) FROM census) ELSE income END"
)
OPTIONS = "data_split_method = 'CUSTOM', data_split_col = 'holdout'"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Project]:
    """A project with both tables."""
    root = tmp_path_factory.mktemp("gates")
    (root / "tidemill.toml").write_text('name = "real"\n')
    with open_project(root) as opened:
        opened.sql(f"CREATE TABLE telco AS SELECT * FROM '{shared_data}/telco_churn/Telco-Customer-Churn.csv'")
        opened.sql(f"CREATE TABLE census AS SELECT * FROM '{shared_data}/adult/adult_train.csv'")
        yield opened


def train(project: Project, model: str, label: str, query: str, options: str = "model_type = 'LOGISTIC_REG'") -> int:
    """A new version of a model; gives its number."""
    project.sql(f"CREATE OR REPLACE MODEL {model} OPTIONS ({options}, input_label_cols = ['{label}']) AS {query}")
    return project.model(model).version


def ask(
    project: Project, model: str, version: int, champion: int | None = None, **gates: object
) -> dict[str, GateResult]:
    """What each gate says."""
    settings = one_deployment(model, {"gates": gates})
    found = run_gates(project.stations, settings, model=model, version=version, champion=champion)
    return {result.gate: result for result in found}


def test_a_sound_version_passes_and_one_with_a_planted_column_does_not(project: Project) -> None:
    query = "SELECT * EXCLUDE (customerID) FROM telco"
    champion = train(project, "leaving", "Churn", query)
    leaking = train(
        project, "leaving", "Churn", query.replace("FROM", ", CASE WHEN Churn THEN 2 ELSE 1 END AS code FROM")
    )

    good, bad = ask(project, "leaving", champion), ask(project, "leaving", leaking, champion)

    assert {result.status for result in good.values()} == {"pass"}
    assert {gate for gate, result in bad.items() if result.status != "pass"} == {"contract", "leaks"}


def test_a_batch_that_trains_with_a_tenth_of_its_labels_wrong_is_refused(project: Project) -> None:
    options = f"model_type = 'LOGISTIC_REG', {OPTIONS}"
    champion = train(project, "earning", "income", CENSUS.format(label="income"), options)
    poisoned = train(project, "earning", "income", CENSUS.format(label=FLIPPED), options)

    said = ask(project, "earning", poisoned, champion, metric="log_loss", slices=["sex"])

    assert said["champion"].status == said["slices"].status == "fail"
    assert said["champion"].evidence["rows"] > 10_000


def test_a_gap_between_the_sexes_is_measured_and_held_against_the_limit(project: Project) -> None:
    version = train(project, "income_of", "income", "SELECT * FROM census")

    strict = ask(project, "income_of", version, groups=["sex"], max_group_gap=0.05)["groups"]
    loose = ask(project, "income_of", version, groups=["sex"], max_group_gap=0.5)["groups"]

    assert (strict.status, loose.status) == ("fail", "pass")
    (gap,) = [one for one in strict.evidence["gaps"] if one["measure"] == "positive predictions"]
    assert 0.05 < gap["low"] < gap["gap"] < gap["high"] < 0.5
