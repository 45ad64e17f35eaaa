"""One pass over a deployment: every window that is over and was not measured, and those that labels came for.

Inputs of a window are judged once, when it is over; so is the quality that is expected without labels, after what
labels say of earlier windows is known; its quality once, when enough of its labels are there. What is measured may be
measured anew as often as rows come late, what is judged is judged once: a budget of false alarms counts looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import TidemillError, TransientError, as_trouble
from tidemill.core.faults import fault
from tidemill.core.monitor import MonitorSettings
from tidemill.monitoring.estimate import CHECK, Believed
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.windows import period_before, windows_between
from tidemill.runner.watch.book import Book
from tidemill.runner.watch.facts import Facts, first_answer, window_facts
from tidemill.runner.watch.few import few_of_late
from tidemill.runner.watch.inputs import Measured, measured_columns
from tidemill.runner.watch.names import wrong_names
from tidemill.runner.watch.operations import measure_operations, sample_counters
from tidemill.runner.watch.others import OtherVersion, measure_others
from tidemill.runner.watch.quality import read_outcomes
from tidemill.runner.watch.versions import Versions
from tidemill.serving.labels.affected import affected
from tidemill.serving.labels.maturity import Maturity, learn_maturity
from tidemill.warehouse.control.database import Tx
from tidemill.warehouse.control.leases import Lease, require
from tidemill.warehouse.control.monitoring import (
    WindowRow,
    load_distributions,
    load_windows,
    newest_check,
    save_distributions,
    save_seen_batch,
    save_window,
    seen_batch,
    windows_without,
)

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.monitoring.alert import Transition
    from tidemill.runner.stations import Stations
    from tidemill.runner.watch.estimate import Estimating
    from tidemill.warehouse.protocol import Session

Listener = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """What a pass did for one deployment.

    Parameters
    ----------
    windows
        Windows that were measured because they were over.
    labelled
        Windows whose quality was measured by the labels that had come.
    happened
        Alerts that opened, widened, became far worse, came back or were resolved.
    others
        In the windows that labels came for, how versions beside the main one did.
    few
        What is to be said where most windows of late had too few answers to be judged.
    """

    deployment: str
    windows: tuple[Window, ...] = ()
    labelled: tuple[Window, ...] = ()
    measurements: int = 0
    rows: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    happened: tuple[Transition, ...] = ()
    others: tuple[OtherVersion, ...] = ()
    few: str = ""
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
            "versions": [one.as_json() for one in self.others],
            "notes": [*self.notes, *([self.few] if self.few else [])],
            "error": None if self.error is None else self.error.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The pass over one deployment.

    Parameters
    ----------
    ended
        When the last answer comes, where that is known: windows after it are none, and whether few came in the one that
        it lies in is not asked.
    """

    stations: Stations
    settings: DeploymentSettings
    lease: Lease
    now: datetime
    book: Book
    versions: Versions
    ended: datetime | None = None
    measured: set[Window] = field(default_factory=set)
    others: list[OtherVersion] = field(default_factory=list)
    errors: list[TidemillError] = field(default_factory=list)

    @classmethod
    def open(
        cls, stations: Stations, settings: DeploymentSettings, lease: Lease, *, ended: datetime | None = None
    ) -> Pass:
        """A pass that begins now."""
        return cls(
            stations=stations,
            settings=settings,
            lease=lease,
            now=stations.clock.now(),
            book=Book(stations=stations, deployment=settings.name, lease=lease),
            versions=Versions(stations=stations, settings=settings),
            ended=ended,
        )

    def run(self, listen: Listener) -> Monitored:
        """Do all there is to do."""
        sample_counters(self.stations, self.settings.name, self.now)
        wrong = wrong_names(self.stations, self.settings)
        done: list[Window] = []
        count = rows = 0
        # A window that cannot be measured ends this turn of windows, not the pass: the next pass begins with it.
        with self._apart("its windows"):
            for window in self._due():
                facts, measurements = self._measure(window)
                self.book.judge(window, "inputs", measurements)
                done.append(window)
                count += len(measurements)
                rows += facts.answers
                listen(f"{self.settings.name}: {window.start:%Y-%m-%d %H:%M}, {facts.answers:,} answers")
        quality = self._measure_labelled(listen)
        count += self._estimate()
        errors = [*self.errors, *wrong]
        notes = [*self.versions.notes, *(one.message for one in errors[1:])]
        return Monitored(
            deployment=self.settings.name,
            labelled=quality,
            windows=tuple(done),
            measurements=count,
            rows=rows,
            notes=tuple(dict.fromkeys(notes)),
            happened=tuple(one for one in self.book.happened if one.happening != "continuing"),
            others=tuple(self.others),
            few=few_of_late(self.stations.db, self.settings, self.now),
            error=errors[0] if errors else None,
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
        """What is watched, and how."""
        return self.settings.monitor

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
        found = [one for one in found if self.ended is None or one.start <= self.ended]
        return [*begun, *(window for window in found if not known or window.start >= first)]

    def _was_now(self, row: WindowRow) -> bool:
        return row.measured_at is not None and row.measured_at <= self.now

    def _measure(self, window: Window) -> tuple[Facts, list[Measurement]]:
        """Measure what is known of a window when it is over."""
        with self.stations.session() as session:
            facts = window_facts(session, self.settings.name, window, slow_ms=self.watch.max_latency_ms)
            inputs = self._inputs(session, window, facts)
        whole = self.ended is None or window.end <= self.ended
        operations = measure_operations(self.stations, self.settings, window, facts, whole=whole)
        measurements = [*inputs.measurements, *operations]
        row = WindowRow(start=window.start, end=window.end, version=facts.main_version, answers=facts.answers)

        def save(tx: Tx) -> None:
            save_window(tx, self.settings.name, row)
            save_distributions(tx, self.settings.name, window.start, facts.main_version, inputs.distributions)

        self.book.write(window, "inputs", measurements, also=save)
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
                        if self._measure_quality(session, self._measured_again(session, row), maturity):
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

    def _measure_quality(self, session: Session, row: WindowRow, maturity: Maturity) -> int:
        """Measure the quality of a window, and judge it where its labels are there; gives back how many there are."""
        assert row.version is not None  # noqa: S101 - windows without answers were left out
        model, window = self.versions.model(row.version), Window(start=row.start, end=row.end)
        estimating: Estimating | None = None
        with self._apart("how far estimates are to be believed"):
            estimating = self.versions.estimating(row.version)
        most_sent = estimating.most_sent if estimating is not None else 0
        found = read_outcomes(session, self.settings, window, model, slices=self.watch.slices, most_sent=most_sent)
        measurements = self.versions.judging(row.version).measure(found)
        if len(found.scored) and estimating is not None:
            with self._apart("how far estimates are to be believed"):
                measurements += estimating.check(session, found)
        others: list[OtherVersion] = []
        with self._apart("the quality of other versions"):
            others = measure_others(
                session,
                self.settings,
                window,
                row.version,
                judging=self.versions.judging,
                notes=self.versions.notes,
            )
        self.others.extend(others)
        judged = self._mature(maturity, row, found.answers, found.labelled)
        known = replace(row, labelled=found.labelled)
        figures = [*measurements, *(figure for one in others for figure in one.figures)]
        self.book.write(window, "quality", figures, also=lambda tx: save_window(tx, self.settings.name, known))
        fault("monitor.measured")
        if judged:
            # A check says whether estimates are to be believed; that quality was lost, quality itself says.
            self.book.judge(window, "quality", [one for one in measurements if one.test != CHECK])
        return found.labelled

    def _estimate(self) -> int:
        """Say what quality is to be expected of windows whose labels are still to come."""
        name, db, count = self.settings.name, self.stations.db, 0
        missing = set(windows_without(db, name, "estimate"))
        rows = [row for row in load_windows(db, name, since=min(missing)) if row.start in missing] if missing else []
        for row in rows:
            assert row.version is not None  # noqa: S101 - windows without answers were left out
            with self._apart("the quality that is to be expected"):
                count += self._estimate_window(row.version, Window(start=row.start, end=row.end), row.answers)
        return count

    def _estimate_window(self, version: int, window: Window, answers: int) -> int:
        with self.stations.session() as session:
            believed = self._believed(version, window)
            found = self.versions.estimating(version).estimate(session, window, answers, believed)
        # Its rows say that a window has been judged: one that a kill left without them is judged again.
        self.book.alert(window, found)
        self.book.write(window, "estimate", found)
        return len(found)

    def _believed(self, version: int, window: Window) -> Believed:
        """What the newest window with labels before this one says of estimates."""
        row = newest_check(self.stations.db, self.settings.name, version, before=window.start)
        if row is None:
            return Believed()
        return Believed(p_value=row["p_value"], note=f"window of {row['window_start']:%Y-%m-%d %H:%M}: {row['note']}")

    def _inputs(self, session: Session, window: Window, facts: Facts) -> Measured:
        version = facts.main_version
        reference = None if version is None else self.versions.reference(version)
        if version is None or reference is None:
            return Measured()
        before = period_before(window, self.watch.season)
        previous = load_distributions(self.stations.db, self.settings.name, before.start)
        model = self.versions.model(version)
        return measured_columns(session, self.settings, window, model, reference, previous, rows=facts.answers)
