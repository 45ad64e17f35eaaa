"""The events of a run as OpenLineage events: one job for the run, one for each step, one for the checks of a table."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from tidemill.core.errors import ContractError, TidemillError
from tidemill.core.names import asset_key
from tidemill.core.version import VERSION
from tidemill.planner.plan import Plan, Step
from tidemill.runner.column_lineage import ProjectKnows, column_graph
from tidemill.runner.events import Event, RunFinished, RunStarted, StepFinished, StepStarted
from tidemill.runner.openlineage.datasets import Stand, inputs_of, namespace_of, output_of
from tidemill.runner.openlineage.message import Dataset, EventType, RunOf, facet, run_event
from tidemill.runner.openlineage.outbox import Outbox
from tidemill.runner.report import StepReport
from tidemill.runner.statements import ProjectStatements
from tidemill.warehouse.control.assets import load_assets
from tidemill.warehouse.control.checks import load_checks

if TYPE_CHECKING:
    from tidemill.column_lineage.graph import ColumnGraph
    from tidemill.runner.steps.job import Job
    from tidemill.sql.statements import Statement

INTEGRATION = "TIDEMILL"


class Teller:
    """Turns events of the runner into events of the catalogue. Called from the threads of the steps."""

    def __init__(self, plan: Plan, job: Job, outbox: Outbox) -> None:
        self._steps = {step.asset: step for step in plan.work}
        self._job = job
        self._outbox = outbox
        self._open: dict[str, RunOf] = {}
        assets = load_assets(job.stations.db)
        self._known = {key: Stand(kind=asset.kind, version=asset.version) for key, asset in assets.items()}
        self._namespace = namespace_of(job.stations)
        self._run = RunOf(
            run_id=_uuid(job.run_id),
            namespace=self._namespace,
            job=job.stations.settings.name,
            run_facets={"processing_engine": _engine(job), "tidemill_run": facet("tidemill_run", runId=job.run_id)},
            job_facets={"jobType": _job_type("RUN")},
        )

    def tell(self, event: Event) -> None:
        """Send what an event means."""
        match event:
            case RunStarted():
                self._begin("", self._run)
            case StepStarted():
                self._start(self._steps[event.asset])
            case StepFinished() if event.report.asset in self._open:
                self._finish(self._steps[event.report.asset], event.report)
            case RunFinished():
                failed = next((step.error for step in event.report.steps if step.error), None)
                self._end("", self._run, failed)

    def abort(self) -> None:
        """End what is open still: the run was broken off."""
        for key, run in reversed(list(self._open.items())):
            del self._open[key]
            self._send("ABORT", run)

    def _start(self, step: Step) -> None:
        statement = self._statement(step)
        facets: dict[str, Any] = {"jobType": _job_type(step.action.upper())}
        if statement is not None:
            facets["sql"] = facet("sql", query=statement.source.text, dialect=statement.source.dialect)
        run = RunOf(
            run_id=_uuid(self._job.run_id, step.name),
            namespace=self._namespace,
            job=f"{self._run.job}.{step.asset}",
            run_facets={"parent": self._run.as_parent, "processing_engine": self._run.run_facets["processing_engine"]},
            job_facets=facets,
        )
        self._begin(step.asset, run, inputs=inputs_of(step, self._known, self._job.stations))

    def _finish(self, step: Step, report: StepReport) -> None:
        run = self._open[step.asset]
        stations = self._job.stations
        made = None if report.error else output_of(step, self._statement(step), report, stations, self._columns)
        if made:
            self._known[asset_key(step.asset)] = Stand(kind=step.kind, version=report.version)
        self._tell_checks(step, run)
        self._end(
            step.asset,
            run,
            report.error,
            inputs=inputs_of(step, self._known, stations) if step.action != "drop" else [],
            outputs=[made] if made else [],
        )

    def _tell_checks(self, step: Step, run: RunOf) -> None:
        """Tell of a table's checks as a job of their own, which reads the table: so catalogues expect tests to be."""
        found = load_checks(self._job.stations.db, self._job.run_id, step.name)
        if not found:
            return
        tested, asserted = (list(side) for side in zip(*map(_told, found), strict=True))
        tests = RunOf(
            run_id=_uuid(self._job.run_id, step.name, "checks"),
            namespace=self._namespace,
            job=f"{run.job}.checks",
            run_facets={"parent": run.as_parent, "test": facet("test", tests=tested)},
            job_facets={"jobType": _job_type("TEST")},
        )
        side = {"dataQualityAssertions": facet("dataQualityAssertions", assertions=asserted)}
        table = Dataset(namespace=self._namespace, name=step.asset, side=side)
        self._send("START", tests)
        self._send("COMPLETE", tests, inputs=[table])

    def _begin(self, key: str, run: RunOf, **facts: Any) -> None:
        self._open[key] = run
        self._send("START", run, **facts)

    def _end(self, key: str, run: RunOf, error: TidemillError | None, **facts: Any) -> None:
        self._open.pop(key, None)
        said = {"errorMessage": _error(error)} if error else {}
        self._send("FAIL" if error else "COMPLETE", run, facets=said, **facts)

    def _send(self, kind: EventType, run: RunOf, **facts: Any) -> None:
        self._outbox.put(run_event(kind, self._job.stations.clock.now(), run, **facts))

    @cached_property
    def _columns(self) -> ColumnGraph | None:
        """The columns around what this run makes, followed once; None where the SQL cannot be followed."""
        stations = self._job.stations
        statements = ProjectStatements(stations.root, stations.settings.dialect, stations.db)
        around = [asset_key(name) for name in self._steps]
        knows = ProjectKnows(
            stations.root,
            db=stations.db,
            warehouse=lambda: stations.warehouse,
            connections=stations.settings.connections,
            has_lake=True,
        )
        with knows, suppress(TidemillError):
            return column_graph(statements, db=stations.db, known=knows, around=around)
        return None

    def _statement(self, step: Step) -> Statement | None:
        return None if step.action == "drop" else self._job.statement(step)


def _uuid(*parts: str) -> str:
    """The id of a run as a UUID, which the specification asks for: the same parts give the same one."""
    return str(uuid5(NAMESPACE_URL, "tidemill:" + "/".join(parts)))


def _engine(job: Job) -> dict[str, Any]:
    about = job.stations.warehouse.describe()
    return facet(
        "processing_engine",
        name=str(about["engine"]),
        version=str(about.get(about["engine"], "")),
        openlineageAdapterVersion=VERSION,
    )


def _error(error: TidemillError) -> dict[str, Any]:
    """What went wrong. The message of a contract shows rows: those stay in the project."""
    message = error.message
    if isinstance(error, ContractError):
        broken = [
            f"{check['check']} fails for {check['rows_failing']:,} rows" for check in error.facts.get("checks", ())
        ]
        message = "; ".join(broken) or "a check of the table fails"
    return facet("errorMessage", message=f"{error.code}: {message}", programmingLanguage="SQL")


def _job_type(kind: str) -> dict[str, Any]:
    return facet("jobType", processingType="BATCH", integration=INTEGRATION, jobType=kind)


def _told(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A check as the specification's test, and as its assertion about a table."""
    passed = row["status"] == "passed"
    both = {"name": row["check_name"], "severity": "error" if row["enforced"] else "warn"}
    test = {**both, "status": "pass" if passed else "fail", "type": row["kind"]}
    failing = f"{row['rows_failing']} of {row['rows_seen']} rows fail"
    return test, {**both, "success": passed, "assertion": row["kind"], "actual": failing}
