"""Project, the one object users hold: it opens the stations, wires them, and decides nothing itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tidemill.core.clock import Clock
from tidemill.core.connections import lake_name
from tidemill.core.errors import BusyError, TidemillError
from tidemill.core.names import asset_key
from tidemill.core.settings import Settings, read_settings
from tidemill.core.who import current_user
from tidemill.planner.graph import SYSTEM_SCHEMA, sources_of
from tidemill.planner.known import Known
from tidemill.planner.make import State, make_plan
from tidemill.planner.plan import Plan
from tidemill.runner.column_notes import require_columns, require_notes
from tidemill.runner.inputs import file_tokens
from tidemill.runner.report import RunReport
from tidemill.runner.source_states import Looker
from tidemill.runner.statements import ProjectStatements, Views, require_right
from tidemill.runner.unbuilt import telling_unbuilt
from tidemill.runner.watermarks import HowFar, how_far
from tidemill.warehouse.control.assets import load_assets
from tidemill.warehouse.control.database import open_database, sqlite_url

if TYPE_CHECKING:
    import threading
    from types import TracebackType

    import pyarrow as pa

    from tidemill.analysis.drift.report import DriftReport
    from tidemill.analysis.profile.result import Profile
    from tidemill.column_lineage.graph import ColumnGraph, ColumnRef
    from tidemill.monitoring.deliver import Passed
    from tidemill.monitoring.verdict import Key
    from tidemill.registry.compare import Comparison
    from tidemill.registry.describe import Description
    from tidemill.registry.retention import Verdict
    from tidemill.registry.store import ArtifactStore
    from tidemill.runner.backtest.report import BacktestReport
    from tidemill.runner.backtest.walk import Asked
    from tidemill.runner.batch.request import BatchReport, BatchRequest
    from tidemill.runner.check import CheckReport
    from tidemill.runner.column_lineage import ProjectKnows
    from tidemill.runner.deploy import Deployed
    from tidemill.runner.estimate import EstimateReport, EstimateRequest
    from tidemill.runner.events import Event
    from tidemill.runner.label_columns import LabelRequest
    from tidemill.runner.labels import LabelReport
    from tidemill.runner.maintain import Act, Maintained
    from tidemill.runner.model import Model
    from tidemill.runner.replay import Replay
    from tidemill.runner.result import Result
    from tidemill.runner.retrain.carry_out import Retrained
    from tidemill.runner.stations import Stations
    from tidemill.runner.status import Status
    from tidemill.runner.steps import Job
    from tidemill.runner.unit_tests.result import TestResult
    from tidemill.runner.watch.monitor import Monitored
    from tidemill.serving.log.collect import Collected
    from tidemill.serving.log.follow import LogPlaces
    from tidemill.serving.online.explain import Explanation
    from tidemill.sql.statements import Summary
    from tidemill.training.result import TrainedModel
    from tidemill.warehouse.control.alerts import AlertEvent, AlertRow
    from tidemill.warehouse.control.audit import AuditRow
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.control.deliveries import SinkState
    from tidemill.warehouse.control.deployments import Deployment, GateResult
    from tidemill.warehouse.control.leases import Lease
    from tidemill.warehouse.control.models import Model as ModelRow
    from tidemill.warehouse.control.models import ModelVersion
    from tidemill.warehouse.control.retrain import RetrainRequest
    from tidemill.warehouse.control.tokens import Token
    from tidemill.warehouse.protocol import Problem, TableVersion, Warehouse

KEEP = ".tidemill"
"""The folder in a project where Tidemill keeps everything; git ignores it."""


def open_project(path: str | Path = ".", *, clock: Clock | None = None) -> Project:
    """Open the project in a folder, or in the nearest folder above it that is one.

    Parameters
    ----------
    path
        The project's folder, or a folder inside it.
    clock
        Where times and ids come from; the machine's when not given.

    Raises
    ------
    SettingsError
        No folder here is a project, or its settings are wrong.
    """
    start = Path(path).resolve()
    root = next((folder for folder in (start, *start.parents) if (folder / "tidemill.toml").is_file()), start)
    return Project(root, read_settings(root), clock=clock or Clock())


class Project:
    """A folder of SQL and one settings file: plan it, run it, query it.

    Stations open when they are first needed, so that a plan with nothing to do opens none of the heavy ones.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        *,
        clock: Clock,
        keep: Path | None = None,
        given: Collection[str] = (),
    ) -> None:
        """Wire a project; nothing is opened yet.

        Parameters
        ----------
        keep
            Where everything is kept; the folder ``.tidemill`` in the project when not given.
        given
            Tables that somebody else fills: the statements that make them are left out.
        """
        self.root = root
        self.settings = settings
        self.clock = clock
        self.keep = keep or root / KEEP
        """The folder of everything Tidemill keeps for this project."""
        self._given = frozenset(map(asset_key, given))

    def plan(self, selectors: Sequence[str] = (), *, full_refresh: bool = False) -> Plan:
        """List what a run would do, and why.

        Raises
        ------
        StatementError
            A statement cannot be read, names clash or are unknown, assets read each other in a circle, or the options
            or checks of a table are wrong.
        """
        plan, summaries = self._plan(selectors, full_refresh=full_refresh)
        require_right(plan, summaries, self.statements.statement)
        return plan

    def run(
        self,
        selectors: Sequence[str] = (),
        *,
        full_refresh: bool = False,
        forget_gone_files: bool = False,
        wait_s: float = 0,
        on_event: Callable[[Event], None] | None = None,
    ) -> RunReport:
        """Do what the plan lists.

        Parameters
        ----------
        forget_gone_files
            Whether an incremental table that is built whole may lose the rows of files that are gone; else it stays.
        wait_s
            How long to wait for another run of this project to end.
        on_event
            Told of everything as it happens; called from the threads of the steps.

        Raises
        ------
        BusyError
            Another run is going on.
        """
        plan, _ = self._plan(selectors, full_refresh=full_refresh)
        if not plan.changed:
            return RunReport(run_id="", status="nothing", unchanged=len(plan.steps))
        from tidemill.runner.claim import claimed_run

        return claimed_run(
            self.stations,
            lambda: self._prepare(selectors, full_refresh=full_refresh, forget_gone_files=forget_gone_files),
            selectors=selectors,
            full_refresh=full_refresh,
            wait_s=wait_s,
            listen=on_event or _silent,
        )

    def check(self, tables: Sequence[str] = ()) -> CheckReport:
        """Check what is in the lake: the contracts of these tables, or of all, and the assertions about them.

        Raises
        ------
        NotFoundError
            A name is no table of the project, or one that is not built yet.
        """
        from tidemill.runner.check import Asked, check_tables

        summaries = self.statements.summaries()
        asked = Asked(
            db=self.db,
            warehouse=self.warehouse,
            clock=self.clock,
            summaries=summaries,
            statement=lambda summary: self.statements.statement(summary.file, summary.ordinal),
            views=Views(self.statements, summaries),
            stations=lambda: self.stations,
            notes=self.settings.tables,
        )
        return check_tables(asked, tables)

    def sql(self, text: str, *, dialect: str | None = None, on_event: Callable[[Event], None] | None = None) -> Result:
        """Carry out statements and hand back the rows of the last one.

        Queries may hold ML functions anywhere a table may stand; CREATE and DROP statements are carried out at once.
        """
        from tidemill.runner.adhoc import run_text

        with telling_unbuilt(self.statements.summaries):
            return run_text(self.stations, text, dialect=dialect or self.settings.dialect, listen=on_event or _silent)

    def model(self, name: str, version: int | str | None = None) -> Model:
        """A registered model: its newest version, or the one of a number or an alias."""
        from tidemill.runner.model import Model

        return Model(self.stations, self.stations.load_model(name, version))

    def describe(self, model: str, version: int | str | None = None) -> Description:
        """Everything that is recorded of a version, by number or alias."""
        from tidemill.registry.describe import describe_version

        return describe_version(self.db, self.store, model, version)

    def compare(self, model: str, old: int | str, new: int | str, *, confidence: float = 0.95) -> Comparison:
        """What changed between two versions, and which decisions flip on the same rows."""
        from tidemill.runner.compare import compare_versions

        return compare_versions(self.stations, model, old, new, confidence=confidence)

    def card(self, model: str, version: int | str | None = None, *, html: bool = False) -> str:
        """The model card of a version, as Markdown or as one HTML page."""
        from tidemill.runner.card import write_card

        return write_card(self.stations, model, version, html=html)

    def retrain(self, model: str, version: int | str | None = None) -> tuple[ModelVersion, TrainedModel]:
        """Train a version again from what it read; nothing is registered."""
        from tidemill.registry.aliases import resolve
        from tidemill.runner.pinned import retrain

        found = resolve(self.db, model, version)
        return found, retrain(self.stations, found)

    def set_alias(self, model: str, alias: str, version: int | str, *, why: str = "") -> ModelVersion:
        """Give a version a name."""
        from tidemill.registry.aliases import set_alias

        return set_alias(self.db, model, alias, version, who=current_user(), why=why)

    def remove_alias(self, model: str, alias: str, *, why: str = "") -> int:
        """Take an alias away; the version it named."""
        from tidemill.registry.aliases import remove_alias

        return remove_alias(self.db, model, alias, who=current_user(), why=why)

    def prune(
        self, model: str | None = None, *, keep: int, days: int = 0, apply: bool = False, why: str = ""
    ) -> list[Verdict]:
        """What becomes of each version when only the newest, the young and the used stay; done when asked to."""
        from tidemill.registry import retention

        age = timedelta(days=days)
        found = retention.verdicts(self.db, model, keep=keep, older_than=age)
        if apply:
            retention.prune(self.db, model, keep=keep, older_than=age, who=current_user(), why=why)
        return found

    def held_out(self, name: str, version: int | None = None) -> pa.Table:
        """The rows a version was judged on, as they were: the columns of its query, with the label.

        Raises
        ------
        StateError
            They cannot be read again: what they came from is gone or has changed.
        """
        from tidemill.runner.held_out import held_out_rows
        from tidemill.warehouse.control.models import get_version

        return held_out_rows(self.stations, get_version(self.db, name, version)).table

    def models(self) -> list[ModelRow]:
        """Every model that is not dropped."""
        from tidemill.warehouse.control.models import list_models

        return list_models(self.db)

    def column_lineage(self) -> ColumnGraph:
        """Which column came from which, by the statements; nothing is run."""
        from tidemill.runner.column_lineage import column_graph

        with self._known() as known:
            return column_graph(self.statements, db=self.db, known=known)

    def lineage_of(self, name: str) -> tuple[ColumnGraph, ColumnRef]:
        """The graph around a table, view, model, file or column of one (``NAME.COLUMN``), and where in it that is.

        Raises
        ------
        NotFoundError
            There is none of that name.
        """
        from tidemill.runner.column_lineage import graph_around

        with self._known() as known:
            return graph_around(name, self.statements, db=self.db, known=known)

    def test(
        self, names: Sequence[str] = (), *, on_result: Callable[[TestResult], None] = lambda _: None
    ) -> list[TestResult]:
        """Carry out the unit tests of the ``tests`` folder: all, or those that a name or pattern means.

        Raises
        ------
        ParseError
            A file holds something that is not a test.
        NotFoundError
            A name means none.
        """
        from tidemill.runner.unit_tests.bench import open_bench, run_tests
        from tidemill.runner.unit_tests.cases import choose_tests, read_tests

        results: list[TestResult] = []
        tests = choose_tests(read_tests(self.root, dialect=self.settings.dialect), names)
        if tests:
            with open_bench(self.root, self.statements, self.db, of=[test.of for test in tests]) as bench:
                for result in run_tests(bench, tests):
                    on_result(result)
                    results.append(result)
        return results

    def history(self, table: str) -> list[TableVersion]:
        """Every version of a table, newest first."""
        return self.warehouse.history(table)

    def verify(self, table: str | None = None) -> list[Problem]:
        """Check every data file and artifact against its recorded digest."""
        from tidemill.registry.verify import verify_artifacts

        return [*self.warehouse.verify(table), *(verify_artifacts(self.db, self.store) if table is None else [])]

    def maintain(
        self,
        tables: Sequence[str] = (),
        *,
        dry_run: bool = False,
        listen: Callable[[Act], None] = lambda _: None,
    ) -> Maintained:
        """Merge small files, forget old snapshots, remove what nothing names; ``listen`` is told of each act.

        With ``tables`` only the files of these are merged, and only their snapshots forgotten.

        Raises
        ------
        BusyError
            Another process is at it.
        """
        from tidemill.runner.maintain import maintain

        return maintain(self.stations, tables=tables, dry_run=dry_run, listen=listen)

    def deploy(
        self,
        name: str,
        *,
        version: int | None = None,
        who: str = "",
        why: str = "",
        override: str = "",
        gates_only: bool = False,
        listen: Callable[[str], None] = lambda _: None,
    ) -> Deployed:
        """Let a version of a model through its gates, and begin its rollout.

        Parameters
        ----------
        name
            A deployment of tidemill.toml, or a model, which then has a deployment of its own name.
        override
            A reason to go on although a gate does not pass.

        Raises
        ------
        GateError
            A gate did not let the version pass.
        """
        from tidemill.runner.deploy import deploy

        return deploy(
            self.stations,
            name,
            version=version,
            who=who or current_user(),
            why=why,
            override=override,
            gates_only=gates_only,
            listen=listen,
        )

    def gates(self, name: str, version: int | None = None) -> list[GateResult]:
        """What the gates of a deployment said of a version (the model's newest when not given), at its last attempt."""
        from tidemill.runner.deploy import gates_of

        return gates_of(self.stations, name, version)

    def predict(
        self, request: BatchRequest, *, listen: Callable[[int, int], None] = lambda _rows, _chunk: None
    ) -> BatchReport:
        """Score a batch to a table or a file, or go on with one that was interrupted.

        Parameters
        ----------
        listen
            Told after each chunk how many rows are scored, and the chunk's number.
        """
        from tidemill.runner.batch.job import predict

        return predict(self.stations, request, listen=listen)

    def profile(
        self, name: str = "", *, query: str = "", label: str = "", listen: Callable[[str], None] = lambda _: None
    ) -> Profile:
        """What a table, a view or a query holds: each column's facts, how columns go together, and warnings.

        Parameters
        ----------
        label
            A column that is to be predicted: columns that give it away are named.
        listen
            Told what is being done.
        """
        from tidemill.runner.profile import ProfileRequest, profile

        return profile(self.stations, ProfileRequest(name=name, query=query, label=label), listen=listen)

    def drift(self, reference: str, current: str, *, listen: Callable[[str], None] = lambda _: None) -> DriftReport:
        """How far each column of some rows moved from a reference, and whether chance does as much.

        Parameters
        ----------
        reference, current
            A table, a view, a query, or the path of a file.
        listen
            Told what is being done.
        """
        from tidemill.runner.drift import drift

        return drift(self.stations, reference, current, listen=listen)

    def estimate(self, request: EstimateRequest, *, listen: Callable[[str], None] = lambda _: None) -> EstimateReport:
        """The quality that is to be expected of a version on rows without labels."""
        from tidemill.runner.estimate import estimate

        return estimate(self.stations, request, listen=listen)

    def promote(self, name: str, *, who: str = "", why: str = "") -> Deployment:
        """Make the version on trial champion at once."""
        from tidemill.runner.deploy import promote

        return promote(self.stations, name, who=who or current_user(), why=why)

    def rollback(self, name: str, *, who: str = "", why: str = "") -> Deployment:
        """Take the version on trial back; without one, let the champion before this one answer again."""
        from tidemill.runner.deploy import roll_back

        return roll_back(self.stations, name, who=who or current_user(), why=why)

    def pause(self, name: str, *, traffic: bool = False, who: str = "", why: str = "") -> Deployment:
        """Let a rollout stand still; with ``traffic`` let the fallback answer everything."""
        from tidemill.runner.deploy import pause

        return pause(self.stations, name, traffic=traffic, who=who or current_user(), why=why)

    def resume(self, name: str, *, who: str = "", why: str = "") -> Deployment:
        """Take back every pause."""
        from tidemill.runner.deploy import resume

        return resume(self.stations, name, who=who or current_user(), why=why)

    def status(self, *, changes: int = 5) -> list[Status]:
        """How every deployment stands, with its last few changes (0 for all)."""
        from tidemill.runner.status import statuses

        return statuses(self.db, self.keep, changes=changes)

    def overview(self) -> dict[str, list[dict[str, Any]]]:
        """The whole system at a glance, as plain data: deployments, alerts, retraining, parts, log, schedules, runs."""
        from tidemill.runner.overview import Seen, overview

        return overview(
            Seen(
                settings=self.settings,
                db=self.db,
                warehouse=lambda: self.warehouse,
                keep=self.keep,
                now=self.clock.now(),
            )
        )

    def alerts(self) -> list[AlertRow]:
        """Every alert, the newest first."""
        from tidemill.warehouse.control.alerts import list_alerts

        return list_alerts(self.db)

    def alert(self, number: int) -> tuple[AlertRow, list[AlertEvent]]:
        """One alert, and what happened to it."""
        from tidemill.warehouse.control.alerts import get_alert, list_events

        return get_alert(self.db, number), list_events(self.db, number)

    def sinks(self) -> list[SinkState]:
        """How each place does that alerts are sent to."""
        from tidemill.warehouse.control.deliveries import sink_states

        return sink_states(self.db)

    def acknowledge(self, number: int, *, who: str = "", why: str = "") -> AlertRow:
        """Say that somebody looks at an alert."""
        from tidemill.monitoring.people import acknowledge

        return acknowledge(self.db, number, who=who or current_user(), why=why)

    def mute(self, number: int, *, until: datetime | None, who: str = "", why: str = "") -> AlertRow:
        """Send nothing of an alert and of later ones of its cause until a moment; None lets it be heard again."""
        from tidemill.monitoring.people import mute, unmute

        if until is None:
            return unmute(self.db, number, who=who or current_user(), why=why)
        return mute(self.db, number, until=until, who=who or current_user(), why=why)

    def rate_alert(
        self, number: int, *, useful: bool, who: str = "", why: str = ""
    ) -> tuple[AlertRow, dict[Key, float]]:
        """Say whether an alert was worth it; what was not has to be larger next time, by how much is given back."""
        from tidemill.monitoring.people import rate

        return rate(self.db, number, useful=useful, who=who or current_user(), why=why)

    def deliver_alerts(self, *, deadline_s: float = 30.0) -> Passed:
        """Send the messages that wait: one pass."""
        from tidemill.runner.alerts import deliver_alerts

        return deliver_alerts(self.stations, deadline_s=deadline_s)

    def test_sink(self, sink: str) -> None:
        """Put a test message into the queue of a sink.

        Raises
        ------
        NotFoundError
            The settings have no sink of that name.
        """
        from tidemill.runner.alerts import send_test

        send_test(self.stations, sink)

    def replay(self, prediction_id: str, *, retrain: bool = False) -> Replay:
        """Compute a logged prediction anew; with ``retrain`` train its version anew too, and compare digests."""
        from tidemill.runner.replay import replay

        return replay(self.stations, prediction_id, again=retrain)

    def explain(self, prediction_id: str) -> tuple[Mapping[str, Any], Explanation]:
        """The log's row of a prediction, and what each input added to its score."""
        from tidemill.runner.replay import explain

        return explain(self.stations, prediction_id)

    def audit(self) -> list[AuditRow]:
        """Every change of state, oldest first."""
        from tidemill.warehouse.control.audit import rows

        return rows(self.db)

    def verify_audit(self, *, head: str = "") -> list[str]:
        """What is wrong with the audit trail, in sentences; ``head`` is a hash that must be in it."""
        from tidemill.warehouse.control.audit import verify

        return verify(self.db, head=head)

    def tokens(self) -> list[Token]:
        """Every token of the HTTP doors."""
        from tidemill.warehouse.control.tokens import list_tokens

        return list_tokens(self.db)

    def create_token(self, name: str, role: str, *, who: str = "", days: float | None = None) -> str:
        """Make a token; its text is given back once and kept nowhere."""
        from tidemill.warehouse.control.tokens import create_token

        return create_token(self.db, name, role, who=who or current_user(), days=days)

    def revoke_token(self, name: str, *, who: str = "", why: str = "") -> None:
        """Make a token worthless."""
        from tidemill.warehouse.control.tokens import revoke_token

        revoke_token(self.db, name, who=who or current_user(), why=why)

    def label(self, request: LabelRequest, *, listen: Callable[[int], None] = lambda _: None) -> LabelReport:
        """Take in labels from a table, a file or a query: each once, and what is none is put aside.

        Parameters
        ----------
        request
            Without an input and a query: what the deployment's settings declare.
        listen
            Told how many rows are read.

        Raises
        ------
        SettingsError
            Nothing is declared, or it is not said which columns are which.
        """
        from tidemill.runner.labels import deliver

        report = deliver(self.stations, request, listen=listen)
        if report.delivery.taken:
            with contextlib.suppress(BusyError):  # whoever collects will find them
                self._collect()
        return report

    def collect(self) -> Collected:
        """Carry what servers have logged into the lake: see ``tidemill.predictions``.

        Raises
        ------
        BusyError
            A collector is at work; a server brings one along.
        """
        troubles: list[TidemillError] = []
        self._take_labels(troubles.append)
        collected = self._collect()
        if troubles:
            raise troubles[0]  # the log is in the lake all the same
        return collected

    def follow_log(self, *, stop: threading.Event, report: Callable[[Collected | TidemillError], None]) -> None:
        """Collect until ``stop`` is set."""
        from tidemill.serving.log.follow import follow

        follow(self._log_places(), stop=stop, report=report, before=lambda: self._take_labels(report))

    def monitor(
        self, names: Sequence[str] = (), *, listen: Callable[[str], None] = lambda _: None, wait_s: float = 0
    ) -> list[Monitored]:
        """Measure and judge the windows that are over, of some deployments or of all that are watched.

        Parameters
        ----------
        listen
            Told of each window.
        wait_s
            How long to wait for another monitor to end.

        Raises
        ------
        BusyError
            Another monitor is at work.
        """
        from tidemill.runner.watch.monitor import monitor

        return monitor(self.stations, names, listen=listen, wait_s=wait_s)

    def backtest(self, asked: Asked, *, listen: Callable[[str], None] = lambda _: None) -> BacktestReport:
        """Train a model at moments of the past on what was known then, and test it on what came after.

        Nothing is registered, and the lake is only read; the figures are kept as rows of ``tidemill.backtests``.

        Raises
        ------
        NotFoundError
            No statement makes such a model.
        """
        from tidemill.runner.backtest.keep import backtest_and_keep

        return backtest_and_keep(self.stations, self.statements, asked, listen=listen)

    def request_retraining(
        self,
        deployment: str,
        *,
        cause: str = "person",
        who: str = "",
        why: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> RetrainRequest | None:
        """Ask for a new version of a deployment's model; None where its settings do not let this cause ask."""
        from tidemill.runner.retrain.ask import request_retraining

        asked = who or current_user()
        return request_retraining(self.stations, deployment, cause=cause, who=asked, why=why, evidence=evidence)

    def retrain_due(
        self, *, only: int | None = None, listen: Callable[[str], None] = lambda _: None
    ) -> list[Retrained]:
        """Carry out the requests for new versions that may be carried out now; ``only`` the one of a number.

        Raises
        ------
        BusyError
            Another process is at it.
        """
        from tidemill.runner.retrain.carry_out import carry_out_due

        return carry_out_due(self.stations, self._run_model, only=only, listen=listen)

    def retrain_requests(self, deployment: str | None = None) -> list[RetrainRequest]:
        """Requests for new versions, the newest first."""
        from tidemill.warehouse.control.retrain import list_requests

        return list_requests(self.db, deployment)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("warehouse", "db"):
            station = self.__dict__.pop(name, None)
            if station is not None:
                station.close()
        self.__dict__.pop("stations", None)
        self.__dict__.pop("statements", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    @cached_property
    def db(self) -> Database:
        """The control database."""
        if self.settings.control_url:
            return open_database(self.settings.control_url, clock=self.clock)
        self.keep.mkdir(exist_ok=True)
        return open_database(sqlite_url(self.keep / "control.sqlite"), clock=self.clock)

    @cached_property
    def warehouse(self) -> Warehouse:
        """Tables with every past version."""
        from tidemill.warehouse.duckdb.lake import open_lake

        return open_lake(
            self.keep,
            search_path=self.root,
            connections=self.settings.connections,
            threads=self.settings.threads or None,
            memory_limit=f"{self.settings.memory_limit_mb}MB" if self.settings.memory_limit_mb else None,
        )

    @cached_property
    def store(self) -> ArtifactStore:
        """Artifacts by digest."""
        from tidemill.registry.store import ArtifactStore

        return ArtifactStore(self.keep / "artifacts")

    @cached_property
    def statements(self) -> ProjectStatements:
        """The statements of the project's files."""
        return ProjectStatements(self.root, self.settings.dialect, self.db, without=self._given)

    @cached_property
    def stations(self) -> Stations:
        """All stations, opened, for the runner."""
        from tidemill.runner.column_notes import columns_table
        from tidemill.runner.dispatch import TABLE_FUNCTIONS
        from tidemill.runner.stations import Stations
        from tidemill.serving.log.tables import log_views
        from tidemill.warehouse.control.system import system_tables

        return Stations(
            root=self.root,
            settings=self.settings,
            clock=self.clock,
            db=self.db,
            warehouse=self.warehouse,
            store=self.store,
            system={
                **system_tables(self.db),
                **log_views(self.keep / "spool"),
                "columns": lambda: columns_table(
                    self.statements.summaries, self.settings.tables, lambda: self.warehouse
                ),
            },
            functions=TABLE_FUNCTIONS,
        )

    def _known(self) -> ProjectKnows:
        from tidemill.runner.column_lineage import ProjectKnows

        has_lake = (self.keep / "lake").is_dir()
        return ProjectKnows(
            self.root,
            db=self.db,
            warehouse=lambda: self.warehouse,
            connections=self.settings.connections,
            has_lake=has_lake,
        )

    def _collect(self) -> Collected:
        from tidemill.serving.log.follow import collect_once

        return collect_once(self._log_places())

    def _take_labels(self, report: Callable[[TidemillError], None]) -> None:
        """Read the labels that settings declare; trouble with one deployment's is told, and the others' are read."""
        if not any(one.labels.declared for one in self.settings.deployments.values()):
            return
        from tidemill.runner.labels import declared_requests, deliver_labels

        for request in declared_requests(self.stations):
            try:
                deliver_labels(self.stations, request, listen=lambda _: None)
            except TidemillError as error:
                report(error)

    def _log_places(self) -> LogPlaces:
        from tidemill.serving.log.follow import LogPlaces

        return LogPlaces(db=self.db, warehouse=self.warehouse, spool=self.keep / "spool", clock=self.clock)

    def _prepare(
        self, selectors: Sequence[str], *, full_refresh: bool, forget_gone_files: bool
    ) -> tuple[Plan, Callable[[str, Lease], Job]]:
        """Make the plan again, under the lease, and what its steps need to know of the statements."""
        from tidemill.runner.steps import Job

        plan, summaries = self._plan(selectors, full_refresh=full_refresh)

        def job(run_id: str, lease: Lease) -> Job:
            return Job(
                stations=self.stations,
                run_id=run_id,
                lease=lease,
                statement=lambda step: self.statements.statement(step.file, step.statement),
                views=Views(self.statements, summaries),
                forget_gone_files=forget_gone_files,
            )

        return plan, job

    def _run_model(self, model: str) -> RunReport:
        """Build a model and what it reads, and carry out the assertions about that."""
        from tidemill.runner.retrain.carry_out import RUN_WAIT_S, selectors_of

        plan, summaries = self._plan([model], full_refresh=False)
        closure = [asset_key(step.asset) for step in plan.steps]
        asserts = [(one.name, list(map(asset_key, one.tables))) for one in summaries if one.kind == "assert"]
        return self.run(selectors_of(model, closure, asserts), wait_s=RUN_WAIT_S)

    def _plan(self, selectors: Sequence[str], *, full_refresh: bool) -> tuple[Plan, list[Summary]]:
        summaries = self.statements.summaries()
        if self.settings.tables:
            require_notes(summaries, self.settings.tables)
        state = self._state(summaries)
        plan = make_plan(summaries, state, selectors=selectors, full_refresh=full_refresh)
        for step in plan.steps:
            # Of what is built the step says it: it may get the column now.
            there = step.kind in {"table", "load"} and step.action in {"skip", "check"}
            if there and asset_key(step.asset) in self.settings.tables:
                require_columns(step.asset, self.warehouse.columns(step.asset), self.settings.tables)
        return plan, summaries

    def _state(self, summaries: Sequence[Summary]) -> State:
        assets = load_assets(self.db)
        damaged = self._damaged()
        increments = self._increments(summaries)
        known = {
            key: Known(
                name=asset.name,
                kind=asset.kind,
                fingerprint=asset.fingerprint,
                parts=asset.parts,
                reads=asset.reads,
                origin=asset.origin,
                present=asset.kind not in {"table", "load"} or (damaged is not None and key not in damaged),
                watermark=increments[key].watermark if key in increments else None,
                unrecorded=key in increments and increments[key].version != asset.version,
                gone_files=increments[key].gone_files if key in increments else (),
            )
            for key, asset in assets.items()
        }
        patterns = [pattern for summary in summaries for pattern in summary.files]
        connections = self.settings.connections
        looker = Looker(
            root=self.root,
            db=self.db,
            clock=self.clock,
            connections=connections,
            warehouse=lambda: self.warehouse,
            read={(name, token) for asset in assets.values() for name, token in asset.reads.items()},
        )
        tables = [table for summary in summaries for table in sources_of(summary, connections).values()]
        return State(
            known=known,
            lake_tables=self._lake_tables(summaries),
            file_tokens=file_tokens(patterns, root=self.root, db=self.db),
            connections=connections,
            sources=looker.states(tables),
            remote_files=looker.files(patterns),
            model_versions=_algorithm_version,
            log=self._log_tokens(summaries),
        )

    def _damaged(self) -> frozenset[str] | None:
        """Keys of the tables whose files are gone or cut; None when there is no lake at all."""
        if not (self.keep / "lake").is_dir():
            return None
        return frozenset(asset_key(table) for table in self.warehouse.damaged())

    def _increments(self, summaries: Sequence[Summary]) -> dict[str, HowFar]:
        """How far each incremental table in the lake is."""
        names = [summary.name for summary in summaries if summary.incremental]
        if not names or not (self.keep / "lake").is_dir():
            return {}
        found = {asset_key(name): how_far(name, warehouse=self.warehouse, root=self.root) for name in names}
        return {key: far for key, far in found.items() if far is not None}

    def _log_tokens(self, summaries: Sequence[Summary]) -> dict[str, str]:
        """What the relations of the prediction log hold, where a statement reads one: as far as it was collected."""
        read = {asset_key(name) for summary in summaries for name in summary.tables}
        read = {name for name in read if name.startswith(SYSTEM_SCHEMA)}
        if not read or not (self.keep / "lake").is_dir():
            return {}
        from tidemill.serving.log.tables import TABLES, log_views

        # A version that only merged files is none of the history: its rows are the same.
        versions = [self.warehouse.history(table)[0].version for table in TABLES if self.warehouse.newest([table])]
        token = f"version {max(versions)}" if versions else "empty"
        names = {f"{SYSTEM_SCHEMA}{name}" for name in log_views(self.keep / "spool")}
        return dict.fromkeys(sorted(read & names), token)

    def _lake_tables(self, summaries: Sequence[Summary]) -> dict[str, int]:
        """Tables that no statement makes: the lake is asked only when a statement reads one."""
        made = {asset_key(summary.name) for summary in summaries}
        connections = self.settings.connections
        read = {
            asset_key(lake_name(name))
            for summary in summaries
            for name in summary.tables
            if name not in sources_of(summary, connections)
        }
        if all(name in made or name.startswith(SYSTEM_SCHEMA) for name in read):
            return {}
        return {asset_key(name): version for name, version in self.warehouse.tables().items()}


def _silent(_: Event) -> None:
    return


def _algorithm_version(model_type: str) -> int:
    from tidemill.model_types.table import find_model_type

    found = find_model_type(model_type)
    return found.version if found else 1
