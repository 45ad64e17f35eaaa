"""tidemill maintain: what something refers to stays, and a model trained again is the same to the last byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.runner.conftest import write_visits
from tests.warehouse.upkeep_state import append

from tidemill.cli.main import run_command
from tidemill.core.errors import BusyError, NotFoundError, SpaceError
from tidemill.core.maintain import MaintainSettings, maintain_settings
from tidemill.project import open_project
from tidemill.registry.snapshots import snapshots_in_use
from tidemill.runner.maintain_policy import snapshot_verdicts
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.input_files import load_input_files
from tidemill.warehouse.control.leases import held
from tidemill.warehouse.control.models import get_version
from tidemill.warehouse.upkeep import Snapshot

NOW = datetime(2026, 11, 25, tzinfo=UTC)
AT_ONCE = """
grace_hours = 0
[maintain]
keep_snapshot_days = 0
keep_log_hours = 0
keep_snapshots = 1
least_files = 4
"""
GROWING = """
CREATE OR REPLACE MODEL growing OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT pages, country, bought FROM kept_by_hand;
"""


def snapshot(version: int, *, days: float, table: str = "t", system: bool = False) -> Snapshot:
    return Snapshot(version=version, created_at=NOW - timedelta(days=days), table=table, system=system)


def policy(**given: int) -> MaintainSettings:
    return maintain_settings(given, lambda _: None)


def test_each_snapshot_stays_for_the_first_reason_that_holds_or_goes() -> None:
    there = [
        snapshot(1, days=90),
        snapshot(2, days=80),
        snapshot(3, days=70, table="u"),
        snapshot(4, days=60, system=True),
        snapshot(5, days=50),
        snapshot(6, days=5),
        snapshot(7, days=0.5, system=True),
        snapshot(8, days=0.1, system=True),
    ]
    found = snapshot_verdicts(
        there,
        policy=policy(keep_snapshots=2),
        in_use={1: ["model m version 1 was trained on it", "batch b was scored from it"]},
        now=NOW,
        grace=timedelta(hours=1),
    )
    assert {one.snapshot.version: one.stays for one in found} == {
        1: "model m version 1 was trained on it, and 1 more",
        2: "",
        3: "it is among the newest 2 of its table",
        4: "",
        5: "it is among the newest 2 of its table",
        6: "it is younger than 30 days",
        7: "it is younger than 24 hours",
        8: "it is the newest",
    }


def test_a_run_that_goes_on_keeps_the_snapshot_it_began_on_and_all_later_ones() -> None:
    there = [snapshot(version, days=9 - version) for version in range(1, 6)]
    found = snapshot_verdicts(
        there,
        policy=policy(keep_snapshot_days=0, keep_snapshots=1),
        in_use={},
        now=NOW,
        grace=timedelta(0),
        running_since=NOW - timedelta(days=6.5),
    )
    assert [one.snapshot.version for one in found if one.goes] == [1]


def test_models_train_to_the_same_digest_after_their_tables_were_written_anew(root: Path) -> None:
    (root / "tidemill.toml").write_text(AT_ONCE)
    with open_project(root) as project:
        project.run()
        for turn in range(6):
            sql = f"SELECT pages, country, (pages + {turn}) % 3 = 0 AS bought FROM features LIMIT {100 + turn}"
            append(project.warehouse, "kept_by_hand", sql, run_id=f"by-hand-{turn}")  # type: ignore[arg-type]
        (root / "sql" / "growing.sql").write_text(GROWING)
        project.run()
        write_visits(root, rows=650)
        project.run()
        digests = {name: get_version(project.db, name, 1).digest for name in ("buyers", "growing")}
        snapshots = len(project.warehouse.upkeep.snapshots())

        foretold = project.maintain(dry_run=True)
        assert len(project.warehouse.upkeep.snapshots()) == snapshots
        done = project.maintain()

        assert done.error is None
        assert [act.action for act in foretold.acts] == ["expire", "compact"]
        assert [act.action for act in done.acts] == ["expire", "compact"]
        assert len(project.warehouse.files("kept_by_hand")) == 1
        assert not project.plan().work
        assert set(snapshots_in_use(project.db)) <= {one.version for one in project.warehouse.upkeep.snapshots()}
        for name, digest in digests.items():
            version, again = project.retrain(name, 1)
            assert (version.digest, again.digest) == (digest, digest)
        fresh = project.run(["growing"], full_refresh=True)
        assert fresh.status == "ok"
        assert get_version(project.db, "growing").digest == digests["growing"]
        assert project.verify() == []
        assert project.audit()[-1].action != ""
        assert [row.action for row in project.audit() if row.object == "lake"] == ["maintain"]


def test_one_process_at_a_time_maintains(root: Path) -> None:
    with open_project(root) as project, held(project.db, "maintain", this_process()), pytest.raises(BusyError):
        project.maintain()


def test_a_full_disk_stops_the_merging_of_files_and_nothing_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "tidemill.toml").write_text(AT_ONCE)
    with open_project(root) as project:
        for turn in range(5):
            append(project.warehouse, "t", f"SELECT {turn} AS n", run_id=f"{turn}")  # type: ignore[arg-type]
        monkeypatch.setenv("TIDEMILL_FAULT", "stage.before_sync:enospc")

        done = project.maintain()

        assert isinstance(done.error, SpaceError)
        assert [(act.action, act.error is None) for act in done.acts] == [("expire", True), ("compact", False)]
        assert len(project.warehouse.files("t")) == 5
        assert project.verify() == []


def test_digests_of_files_that_are_gone_are_forgotten(root: Path) -> None:
    (root / "sql" / "tables.sql").write_text("CREATE TABLE x AS SELECT * FROM 'x*.csv';")
    (root / "sql" / "model.sql").unlink()
    for name in ("x1.csv", "x2.csv"):
        (root / name).write_text("id\n1\n")
    with open_project(root) as project:
        project.run()
        (root / "x1.csv").unlink()
        said = [act.detail for act in project.maintain().acts if act.action == "forget digests"]
        assert said == ["1 of files that are gone"]
        assert [Path(path).name for path in load_input_files(project.db)] == ["x2.csv"]


def test_rows_that_earlier_loads_did_not_take_in_go_and_those_of_the_newest_stay(root: Path) -> None:
    (root / "tidemill.toml").write_text(f"{AT_ONCE}keep_rejects_days = 0\nkeep_run_days = 1\n")
    (root / "sql" / "tables.sql").write_text("CREATE TABLE x OPTIONS (max_bad_rows = 1) AS SELECT * FROM 'x.csv';")
    (root / "sql" / "model.sql").unlink()
    with open_project(root) as project:
        for text in ("id,v\n1,2\n2\n", "id,v\n1,2\n3\n"):
            (root / "x.csv").write_text(text)
            project.run()
        asked = "SELECT raw FROM tidemill.all_rejects"
        foretold = [act.detail for act in project.maintain(dry_run=True).acts if act.action == "forget rejects"]
        assert foretold == ["1 rows of earlier loads, older than 0 days"]
        assert project.sql(asked).fetchall() == [("2",), ("3",)]
        assert "forget rejects" in [act.action for act in project.maintain().acts]
        assert project.sql(asked).fetchall() == [("3",)]
        assert project.maintain().acts == ()


def test_only_the_tables_that_are_named_are_looked_after(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "tidemill.toml").write_text(AT_ONCE)
    with open_project(root) as project:
        for turn in range(5):
            for table in ("one", "other"):
                append(project.warehouse, table, f"SELECT {turn} AS a", run_id=f"{table}-{turn}")  # type: ignore[arg-type]
        with pytest.raises(NotFoundError, match="no table thr"):
            project.maintain(["one", "thr"])
        done = project.maintain(["ONE"])
        assert [(act.action, act.object) for act in done.acts] == [("expire", "snapshots"), ("compact", "one")]
        assert (len(project.warehouse.files("one")), len(project.warehouse.files("other"))) == (1, 5)
        readable = {table: [one.readable for one in project.history(table)] for table in ("one", "other")}
        assert readable == {"one": [True, False, False, False, False], "other": [True] * 5}
    assert run_command(["history", "one", "--project", str(root)]) == 0
    shown = capsys.readouterr().out
    assert "(1)" in shown
    assert "4 versions in brackets" in shown
