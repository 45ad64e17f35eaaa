"""Model versions, metrics, checks and table versions as rows, and all of them as Arrow tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from tidemill.core.errors import ConflictError, NotFoundError
from tidemill.model_types.base import Iteration
from tidemill.warehouse.control import assets, checks, leases, metrics, models, runs, tables
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.holders import Holder, this_process
from tidemill.warehouse.control.system.read import system_tables
from tidemill.warehouse.protocol import TableVersion

ME = this_process()
VERSION = models.ModelVersion(
    name="Churn",
    model_type="LOGISTIC_REG",
    digest="d",
    fingerprint="f",
    run_id="r1",
    step="churn@1",
    evaluated_on="evaluation",
    rows_train=80,
    rows_eval=20,
    seconds=1.5,
    files=(models.ArtifactFile(name="manifest.json", sha256="a" * 64, bytes=2),),
    options={"max_iterations": 20, "l1_reg": None},
    lineage={"tables": {"customers": 3}},
    feature_info=({"input": "age", "stddev": math.nan},),
    warnings=("few rows",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    check: str
    kind: str = "check"
    enforced: bool = True
    rows_seen: int = 10
    rows_failing: int = 0
    sample: tuple[dict[str, Any], ...] = ()
    sample_keys: tuple[dict[str, Any], ...] = ()
    observed: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.1
    status: str = "passed"


def test_versions_count_up_and_the_newest_is_current(db: Database) -> None:
    first = models.add_version(db, VERSION)
    second = models.add_version(db, replace(VERSION, run_id="r2", name="CHURN"))

    assert (first.version, second.version) == (1, 2)
    assert models.get_version(db, "churn").version == 2
    assert models.get_version(db, "main.churn", 1).options == VERSION.options
    assert [model.name for model in models.list_models(db)] == ["CHURN"]
    assert [version.version for version in models.list_versions(db, "churn")] == [2, 1]


def test_a_version_is_read_back_as_it_was_added(db: Database) -> None:
    added = models.add_version(db, VERSION)

    # JSON and SQL have no NaN: it is NULL from then on.
    assert models.get_version(db, "churn") == replace(added, feature_info=({"input": "age", "stddev": None},))
    assert added.bytes == 2


def test_the_same_step_registered_twice_is_one_version(db: Database) -> None:
    first = models.add_version(db, VERSION)
    again = models.add_version(db, replace(VERSION, digest="other"))

    assert (again.version, again.digest) == (first.version, "d")


def test_a_dropped_model_is_gone_and_its_numbers_are_not_used_again(db: Database) -> None:
    models.add_version(db, VERSION)
    assert models.drop_model(db, "CHURN")
    assert not models.drop_model(db, "churn")
    with pytest.raises(NotFoundError):
        models.get_version(db, "churn")

    assert models.add_version(db, replace(VERSION, run_id="r2")).version == 2
    with pytest.raises(NotFoundError, match="no version 1") as caught:
        models.get_version(db, "churn", 1)
    assert caught.value.hint == "versions: 2"


def test_an_unknown_model_is_answered_with_the_nearest_name(db: Database) -> None:
    models.add_version(db, VERSION)

    with pytest.raises(NotFoundError, match="no model chrun") as caught:
        models.get_version(db, "chrun")

    assert "Churn" in caught.value.hint


def test_a_lost_lease_adds_and_drops_no_model(db: Database) -> None:
    models.add_version(db, VERSION)
    lease = leases.acquire(db, "run", Holder(host="elsewhere", pid=1), ttl_s=0)
    leases.acquire(db, "run", ME)

    with pytest.raises(ConflictError):
        models.add_version(db, replace(VERSION, run_id="r2"), lease=lease)
    with pytest.raises(ConflictError):
        models.drop_model(db, "churn", lease=lease)
    assert [version.version for version in models.list_versions(db)] == [1]


def test_metrics_and_iterations_are_read_back(db: Database) -> None:
    values = {"roc_auc": 0.75, "log_loss": math.inf, "f1_score": math.nan}
    iterations = [
        Iteration(iteration=n, loss=1.0 / (n + 1), eval_loss=None, learning_rate=0.1, duration_ms=n) for n in range(3)
    ]
    metrics.save_metrics(db, "Churn", 1, metrics=values, evaluated_on="evaluation", run_id="r1")
    metrics.save_training_info(db, "Churn", 1, iterations=iterations)

    found = metrics.load_metrics(db, "churn", 1)

    assert math.isnan(found.pop("f1_score"))
    assert found == {"roc_auc": 0.75, "log_loss": math.inf}
    assert metrics.load_training_info(db, "churn", 1) == tuple(iterations)
    metrics.save_metrics(db, "churn", 1, metrics={"roc_auc": 0.5}, evaluated_on="evaluation", run_id="r2")
    assert metrics.load_metrics(db, "churn", 1)["roc_auc"] == 0.5


def test_the_checks_of_a_step_replace_those_of_its_first_try(db: Database) -> None:
    failing = Result(
        check="NOT NULL (a)",
        rows_failing=2,
        sample=({"a": None, "day": date(2026, 3, 1)},),
        sample_keys=({"id": 7},),
        observed={"share": 0.5},
        status="failed",
    )
    warned = replace(failing, check="UNIQUE (a)", enforced=False, status="warned")
    checks.save_checks(db, "r1", "a@1", table="a", results=[Result(check="CHECK (x)")])
    checks.save_checks(db, "r1", "a@1", table="a", results=[Result(check="CHECK (x)"), failing, warned])

    table = system_tables(db)["checks"]()

    assert table["status"].to_pylist() == ["passed", "failed", "warned"]
    assert table["check"].to_pylist() == ["CHECK (x)", "NOT NULL (a)", "UNIQUE (a)"]
    assert table["enforced"].to_pylist() == [True, True, False]
    assert table["sample"][1].as_py() == '[{"a":null,"day":"2026-03-01"}]'
    assert table["sample_keys"][1].as_py() == '[{"id":7}]'
    assert table["observed"][1].as_py() == '{"share":0.5}'
    assert table["version"].to_pylist() == [None, None, None]
    checks.save_checks(db, "r2", "check a", table="a", results=[warned], version=3, origin="check")
    assert system_tables(db)["checks"]()["version"].to_pylist() == [None, None, None, 3]


def test_a_table_version_saved_twice_is_one_row(db: Database) -> None:
    version = TableVersion(
        table="Orders",
        version=4,
        created_at=datetime(2026, 3, 1, 12, 30, 0, 5, tzinfo=UTC),
        run_id="r1",
        step="orders@1",
        rows=10,
        bytes=100,
        message="m",
    )
    tables.save_table_version(db, version, fingerprint="f")
    tables.save_table_version(db, version, fingerprint="f")

    assert tables.list_table_versions(db, "orders") == [version]
    assert tables.list_table_versions(db) == [version]
    assert tables.list_table_versions(db, "other") == []
    shown = system_tables(db)["tables"]().to_pylist()
    assert shown[0]["created_at"] == datetime(2026, 3, 1, 12, 30, 0, 5)  # noqa: DTZ001 (UTC, shown without a zone)
    assert (shown[0]["name"], shown[0]["rows"], shown[0]["bytes"]) == ("Orders", 10, 100)


def test_every_system_table_has_its_types_when_it_is_empty(db: Database) -> None:
    found = system_tables(db)

    assert sorted(found) == [
        "alert_deliveries",
        "alert_events",
        "alerts",
        "aliases",
        "all_rejects",
        "assets",
        "audit",
        "backtest_scores",
        "backtests",
        "checks",
        "deployment_versions",
        "deployments",
        "drift",
        "erased_versions",
        "erasures",
        "gates",
        "label_deliveries",
        "metrics",
        "model_versions",
        "models",
        "parts",
        "performance",
        "rejects",
        "retrain_requests",
        "runs",
        "schedules",
        "scoring_chunks",
        "scoring_jobs",
        "slots",
        "steps",
        "tables",
        "training_info",
        "troubles",
        "windows",
    ]
    for read in found.values():
        table = read()
        assert table.num_rows == 0
        assert not any(pa.types.is_null(field.type) for field in table.schema)
    assert found["runs"]().schema.field("started_at").type == pa.timestamp("us")
    assert found["metrics"]().schema.field("value").type == pa.float64()


def test_a_system_table_reads_what_is_there_when_it_is_called(db: Database) -> None:
    found = system_tables(db)
    runs.start_run(db, "r1", holder=ME, selectors=["a"])
    runs.plan_steps(db, "r1", [runs.NewStep(step="a@1", asset="a", kind="table", action="build")])
    assets.save_asset(db, assets.Asset(name="a", kind="table", fingerprint="f"))
    models.add_version(db, VERSION)
    metrics.save_metrics(db, "churn", 1, metrics={"roc_auc": 0.75}, evaluated_on="evaluation", run_id="r1")
    iteration = Iteration(iteration=0, loss=None, eval_loss=0.5, learning_rate=None, duration_ms=1)
    metrics.save_training_info(db, "churn", 1, iterations=[iteration])

    shown = {name: read().to_pylist() for name, read in found.items()}

    assert shown["runs"][0]["status"] == "running"
    assert shown["runs"][0]["selectors"] == '["a"]'
    assert shown["runs"][0]["full_refresh"] is False
    assert shown["steps"][0]["rows"] is None
    assert shown["models"][0] | {"created_at": 0, "updated_at": 0} == {
        "name": "Churn",
        "version": 1,
        "model_type": "LOGISTIC_REG",
        "created_at": 0,
        "updated_at": 0,
        "evaluated_on": "evaluation",
        "rows_train": 80,
        "rows_eval": 20,
        "digest": "d",
        "run_id": "r1",
    }
    assert (shown["metrics"][0]["model"], shown["metrics"][0]["value"]) == ("Churn", 0.75)
    assert (shown["training_info"][0]["loss"], shown["training_info"][0]["eval_loss"]) == (None, 0.5)
    assert shown["model_versions"][0]["lineage"] == '{"tables":{"customers":3}}'
    assert shown["assets"][0]["name"] == "a"
