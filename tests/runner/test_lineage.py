"""What a version was made from is written down, and enough to read it, judge it and train it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.runner.conftest import MODEL, write_visits

from tidemill.core.errors import CorruptError, NotFoundError, StateError
from tidemill.core.version import VERSION
from tidemill.project import Project, open_project
from tidemill.registry.aliases import set_alias
from tidemill.registry.lineage import read_lineage, source_digest
from tidemill.registry.versions import load
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.held_out import held_out_rows, sample_rows
from tidemill.runner.model import Model
from tidemill.runner.pinned import retrain
from tidemill.training.result import artifact_digest
from tidemill.warehouse.control.database import to_json
from tidemill.warehouse.control.models import ModelVersion, get_version

THROUGH_A_VIEW = """
CREATE VIEW known AS SELECT pages, country, bought FROM features WHERE id < 580;

CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT * FROM known;
"""
FROM_A_FILE = """
CREATE OR REPLACE MODEL direct OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['pages'],
  data_split_method = 'NO_SPLIT') AS
SELECT country, pages FROM 'visits.csv';
"""
ON_A_MODEL = """
CREATE OR REPLACE MODEL second OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT predicted_bought AS guess, pages, bought FROM ML.PREDICT(MODEL buyers, TABLE features);
"""


def newest(project: Project, name: str = "buyers") -> ModelVersion:
    return get_version(project.db, name)


def test_lineage_says_what_was_read_by_whom_and_why(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_USER", "ada")
    report = project.run()

    lineage = read_lineage(newest(project).lineage)

    assert lineage.pinned
    assert lineage.statement.startswith("CREATE OR REPLACE MODEL buyers")
    assert lineage.tables == {"features": project.warehouse.tables()["features"]}
    assert lineage.snapshot == max(project.warehouse.tables().values())
    assert (lineage.who, lineage.why, lineage.run_id) == ("ada", "new", report.run_id)
    assert (lineage.seed, lineage.code_version, lineage.code_digest) == (2024, VERSION, source_digest())
    assert {"duckdb", "ducklake", "numpy", "onnxruntime", "python"} <= set(lineage.libraries)


def test_lineage_goes_through_views_to_the_tables(project: Project, root: Path) -> None:
    (root / "sql" / "model.sql").write_text(THROUGH_A_VIEW)
    project.run()

    lineage = read_lineage(newest(project).lineage)

    assert list(lineage.tables) == ["features"]
    assert lineage.views["known"]["query"].startswith("SELECT pages")


def test_rows_of_an_older_tidemill_still_load(project: Project) -> None:
    project.run()
    version = newest(project)
    with project.db.write() as tx:
        tx.execute("UPDATE model_versions SET lineage = :old", old='{"statement":"CREATE MODEL","reads":{}}')

    lineage = read_lineage(newest(project).lineage)

    assert not lineage.pinned
    assert load(project.db, project.store, "buyers").digest == version.digest
    with pytest.raises(StateError, match="was not recorded"):
        held_out_rows(project.stations, newest(project))


def test_held_out_rows_are_those_the_version_was_judged_on(project: Project, root: Path) -> None:
    project.run()
    first = newest(project)
    write_visits(root, rows=900)
    project.run()

    held = held_out_rows(project.stations, first)

    assert (held.kind, held.label, held.total) == ("evaluation", "bought", first.rows_eval)
    assert held.table.num_rows == 120
    facts = ModelFacts(project.stations.load_model("buyers", 1))
    y, _ = facts.evaluation()
    assert held.table.column("bought").to_pylist() == [bool(value) for value in y]
    judged = Model(project.stations, project.stations.load_model("buyers", 1)).evaluate(held.table)
    assert judged["roc_auc"] == pytest.approx(facts.metrics["roc_auc"], abs=1e-12)


def test_without_evaluation_rows_the_training_rows_are_given_and_named_so(project: Project, root: Path) -> None:
    (root / "sql" / "model.sql").write_text(MODEL.replace("OPTIONS (", "OPTIONS (data_split_method = 'NO_SPLIT', "))
    project.run()

    held = held_out_rows(project.stations, newest(project), most=50)

    assert (held.kind, held.total, held.table.num_rows) == ("training", 600, 50)
    assert sample_rows(project.stations, newest(project), 7).num_rows == 7


def test_a_version_is_trained_again_to_the_same_digest_after_its_data_and_views_changed(
    project: Project, root: Path
) -> None:
    (root / "sql" / "model.sql").write_text(THROUGH_A_VIEW)
    project.run()
    first = newest(project)
    write_visits(root, rows=700)
    (root / "sql" / "model.sql").write_text(THROUGH_A_VIEW.replace("580", "100"))
    project.run()

    again = retrain(project.stations, first)

    assert newest(project).digest != first.digest
    assert again.digest == first.digest
    assert newest(project).version == 2


def test_a_version_from_before_baselines_is_trained_again_without_one(project: Project) -> None:
    project.run()
    kept = newest(project)
    early = replace(kept, files=tuple(file for file in kept.files if file.name != "baseline.json"))

    again = retrain(project.stations, early)

    assert {file.name for file in early.files} == set(again.files)
    assert again.digest == artifact_digest(again.files) != kept.digest


def test_a_model_on_a_model_is_trained_again_with_the_version_it_read(project: Project, root: Path) -> None:
    (root / "sql" / "second.sql").write_text(ON_A_MODEL)
    project.run()
    first = newest(project, "second")
    (root / "sql" / "model.sql").write_text(MODEL.replace("* EXCLUDE (id)", "country, bought"))
    project.run(["buyers"])

    assert read_lineage(first.lineage).models == {"buyers": 1}
    assert newest(project).version == 2
    assert retrain(project.stations, first).digest == first.digest


def test_a_changed_file_is_refused_by_name(project: Project, root: Path) -> None:
    (root / "sql" / "direct.sql").write_text(FROM_A_FILE)
    project.run()
    first = newest(project, "direct")
    assert retrain(project.stations, first).digest == first.digest
    write_visits(root, rows=601)

    with pytest.raises(StateError, match=r"the file visits\.csv has changed since it was trained"):
        held_out_rows(project.stations, first)
    (root / "visits.csv").unlink()
    with pytest.raises(StateError, match=r"the file visits\.csv is gone"):
        retrain(project.stations, first)


def test_a_snapshot_that_is_gone_is_refused_by_number(project: Project) -> None:
    project.run()
    version = newest(project)
    with project.db.write() as tx:
        tx.execute("UPDATE model_versions SET lineage = :raw", raw=to_json(version.lineage | {"snapshot": 999}))

    with pytest.raises(StateError, match="snapshot 999 of the warehouse is gone"):
        retrain(project.stations, newest(project))


def test_a_damaged_old_table_version_is_not_trained_on(project: Project, root: Path) -> None:
    project.run()
    first = newest(project)
    file = project.warehouse.files("features")[0]
    project.close()
    path = root / ".tidemill" / "lake" / file.path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))

    with open_project(root) as reopened, pytest.raises(CorruptError, match="features is damaged"):
        retrain(reopened.stations, first)


def test_a_query_that_gives_other_rows_each_time_is_found_out(project: Project, root: Path) -> None:
    query = "SELECT pages, bought FROM features WHERE epoch_us(now()) % 2 = 0 OR id < 500 + epoch_us(now()) % 97"
    (root / "sql" / "model.sql").write_text(MODEL.replace("SELECT * EXCLUDE (id) FROM features", query))
    project.run()
    version = newest(project)

    # Each reading takes in another number of rows, but for chance.
    assert any(refused(project, version) for _ in range(8))


def refused(project: Project, version: ModelVersion) -> bool:
    try:
        held_out_rows(project.stations, version)
    except CorruptError:
        return True
    return False


def test_the_source_digest_is_the_same_all_along() -> None:
    assert source_digest() == source_digest()
    assert len(source_digest()) == 64


def test_sql_reads_a_model_at_an_alias_and_lineage_keeps_the_version_it_meant(project: Project, root: Path) -> None:
    project.run()
    set_alias(project.db, "buyers", "champion", 1, who="ada")
    (root / "sql" / "second.sql").write_text(ON_A_MODEL.replace("buyers,", "buyers AT (VERSION => 'champion'),"))
    project.run()
    first = newest(project, "second")
    (root / "sql" / "model.sql").write_text(MODEL.replace("* EXCLUDE (id)", "country, bought"))
    project.run(["buyers"])
    set_alias(project.db, "buyers", "champion", 2, who="ada")

    assert read_lineage(first.lineage).models == {"buyers@champion": 1}
    assert retrain(project.stations, first).digest == first.digest
    rows = project.sql("SELECT * FROM ML.WEIGHTS(MODEL buyers AT (VERSION => 'champion'))").fetchall()
    assert len(rows) == len(project.sql("SELECT * FROM ML.WEIGHTS(MODEL buyers AT (VERSION => 2))").fetchall())
    with pytest.raises(NotFoundError, match="no alias champ") as unknown:
        project.sql("SELECT * FROM ML.WEIGHTS(MODEL buyers AT (VERSION => 'champ'))")
    assert unknown.value.where is not None
