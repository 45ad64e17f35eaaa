"""One pass of the monitor: every window that is over and was not measured, and those that labels came for.

Inputs of a window are judged once, when it is over; so is the quality that is expected without labels, after what
labels say of earlier windows is known; its quality once, when enough of its labels are there. What is measured may be
measured anew as often as rows come late, what is judged is judged once: a budget of false alarms counts looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from tidemill.core.errors import TidemillError, TransientError, as_trouble
from tidemill.core.faults import fault
from tidemill.core.monitor import MonitorSettings
from tidemill.monitoring.estimate import CHECK, Believed
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.windows import period_before, windows_between
from tidemill.runner.alerts import deliver_alerts, record_alerts
from tidemill.runner.deploy import deployment_of
from tidemill.runner.retrain.ask import ask_for_alerts
from tidemill.runner.watch.estimate import Estimating, learn_estimating
from tidemill.runner.watch.facts import Facts, first_answer, window_facts
from tidemill.runner.watch.inputs import Measured, measured_columns
from tidemill.runner.watch.operations import measure_operations
from tidemill.runner.watch.quality import Judging, learn_judging, read_outcomes
from tidemill.runner.watch.reference import reference_of
from tidemill.serving.counters import requests_of, totals_in
from tidemill.serving.labels.affected import affected
from tidemill.serving.labels.maturity import Maturity, learn_maturity
from tidemill.warehouse.control.database import Tx
from tidemill.warehouse.control.deployments import list_deployments
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import Lease, held, require
from tidemill.warehouse.control.models import get_version
from tidemill.warehouse.control.monitoring import (
    CounterSample,
    Part,
    WindowRow,
    load_distributions,
    load_windows,
    mark_judged,
    newest_check,
    save_distributions,
    save_measurements,
    save_sample,
    save_seen_batch,
    save_window,
    seen_batch,
    windows_without,
)
from tidemill.warehouse.control.troubles import save_troubles

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.monitoring.alert import Transition
    from tidemill.monitoring.inputs import Reference
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session

LEASE = "monitor"
DELIVER_S = 30.0
"""How long a pass may take to send alerts; what is not sent by then waits for the next."""

Listener = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """What a pass did for one deployment.

    Parameters
    ----------
    windows
        Windows that were measured because they were over.
    labelled
        Windows whose quality was measured because labels had come.
    happened
        Alerts that opened, widened, came back or were resolved.
    """

    deployment: str
    windows: tuple[Window, ...] = ()
    labelled: tuple[Window, ...] = ()
    measurements: int = 0
    rows: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    happened: tuple[Transition, ...] = ()
    error: TidemillError | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "deployment": self.deployment,
            "windows": [one.start.isoformat() for one in self.windows],
            "labelled": [one.start.isoformat() for one in self.labelled],
            "measurements": self.measurements,
            "answers": self.rows,
            "seconds": round(self.seconds, 3),
            "alerts": [{"id": one.alert.id, "cause": one.alert.cause, "what": one.happening} for one in self.happened],
            "notes": list(self.notes),
            "error": None if self.error is None else self.error.as_json(),
        }


def monitor(
    stations: Stations, names: Sequence[str] = (), *, listen: Listener = lambda _: None, wait_s: float = 0.0
) -> list[Monitored]:
    """Measure what is over and was not measured yet, for some deployments or for all that are watched.

    Raises
    ------
    BusyError
        Another process is at it.
    NotFoundError
        There is no such deployment.
    """
    with held(stations.db, LEASE, this_process(), wait_s=wait_s) as lease:
        found = [_monitored(stations, one, lease, listen) for one in _chosen(stations, names)]
        failed = {one.deployment: one.error.message for one in found if one.error is not None}
        save_troubles(stations.db, LEASE, failed, among=[one.deployment for one in found] if names else None)
    deliver_alerts(stations, deadline_s=DELIVER_S)
    return found


def _chosen(stations: Stations, names: Sequence[str]) -> list[DeploymentSettings]:
    if names:
        return [deployment_of(stations, name) for name in names]
    settings = [deployment_of(stations, one.name) for one in list_deployments(stations.db)]
    return [one for one in settings if one.monitor.enabled]


def _monitored(stations: Stations, settings: DeploymentSettings, lease: Lease, listen: Listener) -> Monitored:
    """One deployment's pass. What is wrong with one does not keep the others from being watched."""
    began = stations.clock.monotonic()
    try:
        found = _Pass(stations=stations, settings=settings, lease=lease, now=stations.clock.now()).run(listen)
    except TransientError:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary of a deployment: the others are watched
        return Monitored(deployment=settings.name, error=as_trouble(error, f"watching {settings.name}"))
    return replace(found, seconds=stations.clock.monotonic() - began)


@dataclass(slots=True, kw_only=True)
class _Pass:
    """The pass of one deployment."""

    stations: Stations
    settings: DeploymentSettings
    lease: Lease
    now: datetime
    models: dict[int, LoadedModel] = field(default_factory=dict)
    references: dict[int, tuple[LoadedModel, Reference] | None] = field(default_factory=dict)
    judging: dict[int, Judging] = field(default_factory=dict)
    estimating: dict[int, Estimating] = field(default_factory=dict)
    measured: set[Window] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    happened: list[Transition] = field(default_factory=list)
    errors: list[TidemillError] = field(default_factory=list)

    def run(self, listen: Listener) -> Monitored:
        self._sample()
        done: list[Window] = []
        count = rows = 0
        # A window that cannot be measured ends this turn of windows, not the pass: the next pass begins with it.
        with self._apart("its windows"):
            for window in self._due():
                facts, measurements = self._measure(window)
                self._judge(window, "inputs", measurements)
                done.append(window)
                count += len(measurements)
                rows += facts.answers
                listen(f"{self.settings.name}: {window.start:%Y-%m-%d %H:%M}, {facts.answers:,} answers")
        quality = self._measure_labelled(listen)
        count += self._estimate()
        return Monitored(
            deployment=self.settings.name,
            labelled=quality,
            windows=tuple(done),
            measurements=count,
            rows=rows,
            notes=tuple(dict.fromkeys(self.notes)),
            happened=tuple(one for one in self.happened if one.happening != "continuing"),
            error=self.errors[0] if self.errors else None,
        )

    @contextmanager
    def _apart(self, what: str) -> Iterator[None]:
        """A piece of the pass: what is wrong in it is told at the end, and the other pieces are done before."""
        try:
            yield
        except TransientError:
            raise  # the lease is lost, the database is away: there is no going on
        except Exception as error:  # noqa: BLE001 - the boundary of a piece of the pass
            self.errors.append(as_trouble(error, f"{self.settings.name}: {what} could not be measured"))

    @property
    def watch(self) -> MonitorSettings:
        return self.settings.monitor

    def _sample(self) -> None:
        """Write down what the servers on this machine counted until now."""
        folder = self.stations.store.root.parent / "serve" / "counters"
        requests, failed = requests_of(totals_in(folder), self.settings.name)
        if requests:
            save_sample(
                self.stations.db, self.settings.name, CounterSample(at=self.now, requests=requests, failed=failed)
            )

    def _due(self) -> list[Window]:
        """Windows that are over and were not measured and judged."""
        # A clock that ran ahead left windows behind that are still to come.
        known = [row for row in load_windows(self.stations.db, self.settings.name) if self._was_now(row)]
        begun = [Window(start=row.start, end=row.end) for row in known if not row.inputs_judged]
        if known:
            first: datetime | None = known[-1].end
        else:
            with self.stations.session() as session:
                first = first_answer(session, self.settings.name)
        if first is None:
            return begun
        found = windows_between(first, self.now - self.watch.wait, self.watch.window)
        return [*begun, *(window for window in found if not known or window.start >= first)]

    def _was_now(self, row: WindowRow) -> bool:
        return row.measured_at is not None and row.measured_at <= self.now

    def _measure(self, window: Window) -> tuple[Facts, list[Measurement]]:
        """Measure what is known of a window when it is over."""
        with self.stations.session() as session:
            facts = window_facts(session, self.settings.name, window, slow_ms=self.watch.max_latency_ms)
            inputs = self._inputs(session, window, facts)
        measurements = [*inputs.measurements, *measure_operations(self.stations, self.settings, window, facts)]
        row = WindowRow(start=window.start, end=window.end, version=facts.main_version, answers=facts.answers)
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            save_window(tx, self.settings.name, row)
            self._save(tx, window, "inputs", measurements)
            save_distributions(tx, self.settings.name, window.start, facts.main_version, inputs.distributions)
        fault("monitor.measured")
        self.measured.add(window)
        return facts, measurements

    def _measure_labelled(self, listen: Listener) -> tuple[Window, ...]:
        """Measure the quality of windows that labels came for, and judge those whose labels are there."""
        name, db = self.settings.name, self.stations.db
        rows = [row for row in load_windows(db, name) if row.version is not None]
        if not rows:
            return ()
        done, before = [], len(self.errors)
        with self.stations.session() as session:
            news = affected(session, name, since=seen_batch(db, name), width=self.watch.window)
            touched = {start.replace(tzinfo=UTC) for start in news.windows}
            coverage = self.settings.labels.coverage
            maturity = learn_maturity(session, name, as_of=self.now, complete=self.watch.mature, coverage=coverage)
            for row in rows:
                # Labels may have come before the end of their window, when there was nothing to measure.
                new = Window(start=row.start, end=row.end) in self.measured
                if new or row.start in touched or self._mature(maturity, row, row.answers, row.labelled):
                    listen(f"{name}: labels of {row.start:%Y-%m-%d %H:%M}")
                    with self._apart(f"the quality of the window of {row.start:%Y-%m-%d %H:%M}"):
                        self._measure_quality(session, self._measured_again(session, row), maturity)
                        done.append(Window(start=row.start, end=row.end))
        if len(self.errors) > before:
            return tuple(done)  # the labels of what could not be measured are looked at again
        with db.write() as tx:
            require(tx, self.lease)
            save_seen_batch(tx, name, news.upto)
        return tuple(done)

    def _measured_again(self, session: Session, row: WindowRow) -> WindowRow:
        """Where answers came into the log after their window was measured, measure it again; it stays as judged."""
        window = Window(start=row.start, end=row.end)
        if window in self.measured:
            return row
        facts = window_facts(session, self.settings.name, window, slow_ms=self.watch.max_latency_ms)
        if facts.answers != row.answers:
            self._measure(window)
        return replace(row, answers=facts.answers, version=facts.main_version or row.version)

    def _mature(self, maturity: Maturity, row: WindowRow, answers: int, labelled: int) -> bool:
        """Whether a window that was not judged has the labels it is going to have."""
        if row.quality_judged or not labelled:
            return False
        age_s = (self.now - row.end).total_seconds()
        return labelled >= answers or maturity.is_mature(youngest_s=age_s, answers=answers, labelled=labelled)

    def _measure_quality(self, session: Session, row: WindowRow, maturity: Maturity) -> None:
        assert row.version is not None  # noqa: S101 - windows without answers were left out
        model, window = self._model(row.version), Window(start=row.start, end=row.end)
        found = read_outcomes(session, self.settings, window, model, slices=self.watch.slices)
        measurements = self._judging(row.version).measure(found)
        if len(found.scored):
            with self._apart("how far estimates are to be believed"):
                measurements += self._estimating(row.version).check(found)
        judged = self._mature(maturity, row, found.answers, found.labelled)
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            save_window(tx, self.settings.name, replace(row, labelled=found.labelled))
            self._save(tx, window, "quality", measurements)
        fault("monitor.measured")
        if judged:
            # A check says whether estimates are to be believed; that quality was lost, quality itself says.
            self._judge(window, "quality", [one for one in measurements if one.test != CHECK])

    def _estimate(self) -> int:
        """Say what quality is to be expected of windows whose labels are still to come."""
        name, db, count = self.settings.name, self.stations.db, 0
        missing = set(windows_without(db, name, "estimate"))
        rows = [row for row in load_windows(db, name, since=min(missing)) if row.start in missing] if missing else []
        for row in rows:
            assert row.version is not None  # noqa: S101 - windows without answers were left out
            with self._apart("the quality that is to be expected"):
                count += self._estimate_window(row.version, Window(start=row.start, end=row.end))
        return count

    def _estimate_window(self, version: int, window: Window) -> int:
        with self.stations.session() as session:
            found = self._estimating(version).estimate(session, window, self._believed(version, window))
        # Its rows say that a window has been judged: one that a kill left without them is judged again.
        self._alert(window, found)
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            self._save(tx, window, "estimate", found)
        return len(found)

    def _judging(self, version: int) -> Judging:
        if version not in self.judging:
            self.judging[version] = learn_judging(self.settings, self._model(version))
        return self.judging[version]

    def _estimating(self, version: int) -> Estimating:
        if version not in self.estimating:
            self.estimating[version] = learn_estimating(self.settings, self._model(version))
        return self.estimating[version]

    def _believed(self, version: int, window: Window) -> Believed:
        """What the newest window with labels before this one says of estimates."""
        row = newest_check(self.stations.db, self.settings.name, version, before=window.start)
        if row is None:
            return Believed()
        return Believed(p_value=row["p_value"], note=f"window of {row['window_start']:%Y-%m-%d %H:%M}: {row['note']}")

    def _model(self, version: int) -> LoadedModel:
        if version not in self.models:
            self.models[version] = self.stations.load_model(self.settings.model, version)
        return self.models[version]

    def _judge(self, window: Window, part: Literal["inputs", "quality"], measurements: Sequence[Measurement]) -> None:
        """Let the figures of a window open alerts, or end them; then write down that this was done.

        A pass that is killed between the two judges the window again, which changes nothing.
        """
        self._alert(window, measurements)
        fault("monitor.judged")
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            mark_judged(tx, self.settings.name, window.start, part)

    def _alert(self, window: Window, measurements: Sequence[Measurement]) -> None:
        happened = record_alerts(self.stations, self.settings.name, window, measurements)
        ask_for_alerts(self.stations, self.settings.name, happened)
        self.happened += happened

    def _inputs(self, session: Session, window: Window, facts: Facts) -> Measured:
        version = facts.main_version
        compared = self._reference(version) if version is not None else None
        if compared is None:
            return Measured()
        model, reference = compared
        before = period_before(window, self.watch.season)
        previous = load_distributions(self.stations.db, self.settings.name, before.start)
        return measured_columns(session, self.settings, window, model, reference, previous, rows=facts.answers)

    def _reference(self, version: int) -> tuple[LoadedModel, Reference] | None:
        """What a version's windows are compared with; None, and a note, where nothing was kept of its training."""
        if version not in self.references:
            row, model = get_version(self.stations.db, self.settings.model, version), self._model(version)
            found = reference_of(row, model)
            self.references[version] = None if found is None else (model, found)
            if found is None:
                self.notes.append(
                    f"version {version} was trained by a Tidemill that kept no baseline: what came in is compared"
                    " with nothing until a newer version answers"
                )
        return self.references[version]

    def _save(self, tx: Tx, window: Window, part: Part, measurements: Iterable[Measurement]) -> None:
        rows: list[dict[str, Any]] = [asdict(one) for one in measurements]
        save_measurements(tx, self.settings.name, window.start, part, rows)
