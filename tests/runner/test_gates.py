"""The gates before traffic on real projects: which of them stops which bad version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tidemill.core.errors import SettingsError
from tidemill.core.sections import one_deployment
from tidemill.project import Project, open_project
from tidemill.runner.gates import run_gates
from tidemill.serving.gates.table import GATES
from tidemill.warehouse.control.deployments import GateResult

Train = Callable[..., int]
ROWS = 4_000


def write_customers(path: Path, *, rows: int = ROWS, seed: int = 3) -> None:
    """Customers who leave more often the shorter they stayed and the more they call; ``twin`` is the answer itself."""
    generator = np.random.default_rng(seed)
    months = generator.gamma(3.0, 8.0, rows).round(2)
    calls = generator.poisson(2.0, rows)
    plan = generator.choice(["basic", "plus", "pro"], rows)
    chance = 1 / (1 + np.exp(-(1.2 - 0.09 * months + 0.7 * calls - 0.8 * (plan == "pro"))))
    left = generator.random(rows) < chance
    poisoned = np.where(generator.random(rows) < 0.5, ~left, left)
    until = [f"2024-0{1 + i % 9}-15 12:00:00" for i in range(rows)]
    lines = [
        f"{i},{months[i]},{calls[i]},{plan[i]},{left[i]},{poisoned[i]},{int(left[i]) * 3 + 1},{until[i]}"
        for i in range(rows)
    ]
    path.write_text("\n".join(["id,months,calls,plan,left,poisoned,twin,settled", *lines]) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a table of customers."""
    root = tmp_path_factory.mktemp("gates")
    (root / "tidemill.toml").write_text('name = "shop"\n')
    write_customers(root / "customers.csv")
    with open_project(root) as opened:
        opened.sql("CREATE TABLE customers AS SELECT * FROM 'customers.csv'")
        yield opened


@pytest.fixture(scope="module")
def train(project: Project) -> Train:
    """Train a version of model churn; gives its number. Equal SQL trains once."""
    known: dict[str, int] = {}

    def make(select: str, *, options: str = "") -> int:
        sql = (
            "CREATE OR REPLACE MODEL churn OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['left']"
            f"{options}) AS {select}"
        )
        if sql not in known:
            project.sql(sql)
            known[sql] = project.model("churn").version
        return known[sql]

    return make


GOOD = 'SELECT months, calls, plan, "left" FROM customers'
SPLIT = ", data_split_method = 'CUSTOM', data_split_col = 'holdout'"
SPLIT_GOOD = 'SELECT months, calls, plan, id % 4 = 0 AS holdout, "left" FROM customers'


def ask(
    project: Project, version: int, champion: int | None = None, *, key: str = "", **gates: object
) -> dict[str, GateResult]:
    """What each gate says."""
    settings = one_deployment("churn", {"gates": gates, "key": key})
    found = run_gates(project.stations, settings, model="churn", version=version, champion=champion)
    return {result.gate: result for result in found}


def stopped_by(said: dict[str, GateResult]) -> set[str]:
    """The gates that did not let it pass."""
    return {gate for gate, result in said.items() if result.status != "pass"}


def test_a_good_version_passes_every_gate(project: Project, train: Train) -> None:
    said = ask(project, train(GOOD))

    assert list(said) == [gate.name for gate in GATES]
    assert not stopped_by(said), [result.summary for result in said.values() if result.status != "pass"]


def test_a_version_is_held_against_the_champion_on_rows_that_neither_was_trained_on(
    project: Project, train: Train
) -> None:
    champion = train(SPLIT_GOOD, options=SPLIT)
    version = train(SPLIT_GOOD.replace("months", "months, id AS noise"), options=SPLIT)

    said = ask(project, version, champion, key="noise", new_columns=["noise"])

    assert not stopped_by(said), [result.summary for result in said.values() if result.status != "pass"]
    evidence = said["champion"].evidence
    assert evidence["champion"] == champion
    # Two customers may be alike in everything the versions read.
    assert evidence["rows"] + evidence["seen"] == ROWS // 4
    assert evidence["seen"] < 50
    changed = evidence["changed"]
    assert changed["flipped"] == changed["became_right"] + changed["became_wrong"]
    assert len(changed["movers"]) == 10
    assert all(int(mover["key"]) % 4 == 0 for mover in changed["movers"])


def test_rows_the_champion_was_trained_on_are_left_out_of_the_comparison(project: Project, train: Train) -> None:
    champion = train(SPLIT_GOOD.replace("id % 4 = 0", "id % 8 = 0"), options=SPLIT)
    version = train(SPLIT_GOOD.replace("id % 4 = 0", "id % 8 < 2"), options=SPLIT)

    said = ask(project, version, champion)["champion"]

    assert said.evidence["seen"] >= ROWS // 8
    assert said.evidence["rows"] == ROWS // 4 - said.evidence["seen"]
    assert "more were left out" in said.summary


def test_labels_flipped_in_a_batch_that_trains_are_stopped_by_the_comparison(project: Project, train: Train) -> None:
    champion = train(SPLIT_GOOD, options=SPLIT)
    flipped = 'CASE WHEN id % 4 > 0 AND calls > 2 THEN NOT "left" ELSE "left" END AS "left"'
    version = train(SPLIT_GOOD.replace('"left"', flipped), options=SPLIT)

    said = ask(project, version, champion)

    assert said["champion"].status == "fail"
    assert said["champion"].evidence["high"] < -0.01


def test_labels_drawn_by_lot_are_stopped_by_the_baseline(project: Project, train: Train) -> None:
    said = ask(project, train('SELECT months, calls, plan, poisoned AS "left" FROM customers'))

    assert stopped_by(said) == {"baseline"}


def test_a_column_that_knows_the_label_is_stopped_unless_it_is_waived(project: Project, train: Train) -> None:
    version = train('SELECT months, calls, twin, "left" FROM customers')

    said = ask(project, version)

    assert stopped_by(said) == {"leaks"}
    assert said["leaks"].status == "fail"
    assert "twin" in said["leaks"].summary
    assert ask(project, version, waive_leaks=["TWIN"])["leaks"].status == "pass"


def test_the_same_answer_for_everybody_is_stopped_by_the_outputs_and_the_baseline(
    project: Project, train: Train
) -> None:
    said = ask(project, train(GOOD, options=", l1_reg = 1e9"))

    assert {"outputs", "baseline"} <= stopped_by(said)
    assert said["outputs"].status == said["baseline"].status == "fail"


def test_rows_delivered_twice_are_stopped_as_a_leak(project: Project, train: Train) -> None:
    said = ask(project, train(f"{GOOD} UNION ALL {GOOD}"))

    assert stopped_by(said) == {"leaks"}
    assert "occur among the training rows" in said["leaks"].summary


def test_a_version_trained_on_few_rows_is_not_enough_evidence(project: Project, train: Train) -> None:
    champion = train(GOOD)

    said = ask(project, train(f"{GOOD} WHERE id < 900"), champion, margin=0.001)

    assert said["champion"].status == "not enough evidence"


def test_a_version_that_nothing_was_held_out_of_is_not_enough_evidence(project: Project, train: Train) -> None:
    said = ask(project, train(GOOD, options=", data_split_method = 'NO_SPLIT'"))

    assert said["baseline"].status == "not enough evidence"
    assert "DATA_SPLIT_METHOD" in said["baseline"].summary


def test_a_column_callers_of_the_champion_do_not_send_breaks_the_contract(project: Project, train: Train) -> None:
    champion = train('SELECT months, calls, "left" FROM customers')
    version = train(GOOD)

    assert "do not send plan" in ask(project, version, champion)["contract"].summary
    assert ask(project, version, champion, new_columns=["plan"])["contract"].status == "pass"
    assert "forbidden_columns" in ask(project, version, forbidden_columns=["Plan"])["contract"].summary


def test_a_column_that_vanished_upstream_breaks_the_contract(project: Project, train: Train) -> None:
    project.sql("CREATE TABLE plans AS SELECT * FROM customers")
    version = train('SELECT months, calls, plan, "left" FROM plans')
    project.sql("CREATE OR REPLACE TABLE plans AS SELECT * EXCLUDE (plan) FROM customers")
    renamed = ask(project, version)["contract"]
    project.sql('CREATE OR REPLACE TABLE plans AS SELECT months::VARCHAR AS months, calls, plan, "left" FROM customers')
    retyped = ask(project, version)["contract"]

    assert (renamed.status, retyped.status) == ("fail", "fail")
    assert "plan" in renamed.summary
    assert "months (double in training, string today)" in retyped.summary


def test_a_feature_that_lies_after_the_label_is_a_leak(project: Project, train: Train) -> None:
    version = train(
        "SELECT months, calls, settled - INTERVAL 1 DAY AS asked, settled + INTERVAL 1 DAY AS closed, "
        'settled, "left" FROM customers'
    )

    said = ask(project, version, label_time="settled")["leaks"]

    assert said.status == "fail"
    assert "closed lies at or after settled in 100.0% of the rows" in said.summary
    assert "the version reads settled" in said.summary
    assert "asked lies" not in said.summary


def test_a_group_that_is_called_positive_far_more_often_is_stopped(project: Project, train: Train) -> None:
    said = ask(project, train(GOOD), groups=["plan"], max_group_gap=0.02, slice_min_rows=50)

    assert said["groups"].status == "fail"
    assert {gap["column"] for gap in said["groups"].evidence["gaps"]} == {"plan"}


def test_numbers_are_sliced_by_ranges(project: Project, train: Train) -> None:
    champion = train(SPLIT_GOOD, options=SPLIT)
    version = train(SPLIT_GOOD.replace("months", "months, id AS noise"), options=SPLIT)

    said = ask(project, version, champion, slices=["months", "plan"], slice_min_rows=150, new_columns=["noise"])

    assert said["slices"].status == "pass", said["slices"].summary
    assert len(said["slices"].evidence["slices"]) == 8


def test_a_slice_of_a_column_that_is_not_there_is_an_error_with_a_suggestion(project: Project, train: Train) -> None:
    with pytest.raises(SettingsError, match="gates.slices names plam") as caught:
        ask(project, train(GOOD), slices=["plam"])

    assert "plan" in caught.value.hint


def test_a_metric_of_another_task_is_an_error_with_a_list(project: Project, train: Train) -> None:
    with pytest.raises(SettingsError, match="mean_absolute_error"):
        ask(project, train(GOOD), metric="mean_absolute_error")


def test_a_damaged_file_fails_and_leaves_the_other_gates_without_evidence(project: Project, train: Train) -> None:
    version = train(f"{GOOD} WHERE id < 3999")
    (file,) = [one for one in project.describe("churn", version).row.files if one.name == "model.onnx"]
    path = project.store.path(file.sha256)
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    said = ask(project, version)

    path.write_bytes(whole)
    assert said["files"].status == "fail"
    assert {said[gate].status for gate in said if gate not in ("files", "champion", "steady", "slices", "groups")} == {
        "not enough evidence"
    }
    assert ask(project, version)["files"].status == "pass"


def test_a_version_too_large_or_too_slow_for_its_budget_is_stopped(project: Project, train: Train) -> None:
    said = ask(project, train(GOOD), max_megabytes=0.1, max_latency_ms=0.01)

    assert said["latency"].status == "fail"
    assert said["files"].evidence["bytes"] > 0


def test_numbers_are_held_against_their_mean_and_the_champion(project: Project) -> None:
    sql = (
        "CREATE OR REPLACE MODEL spent OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['spend']) AS "
        "SELECT {} , 5 * months + 3 * calls + (id * 7 % 13) AS spend FROM customers"
    )
    project.sql(sql.format("months, calls"))
    project.sql(sql.format("months"))
    settings = one_deployment("spent", {})

    found = run_gates(project.stations, settings, model="spent", version=2, champion=1)

    said = {result.gate: result for result in found}
    # Version 2 no longer reads calls: it is held against version 1 on rows of version 1 that trained neither.
    assert stopped_by(said) == {"champion"}
    assert said["champion"].status == "fail"
    assert said["champion"].evidence["rows"] < 400
    assert said["baseline"].evidence["metric"] == "mean_absolute_error"
    assert said["champion"].evidence["relative"]
