"""What a pass writes down: figures of windows, what they do to alerts, and that windows were judged.

Everything goes through the pass's lease: a pass that lost it writes nothing more. So nobody else judges meanwhile, and
what was judged before is read and decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tidemill.core.faults import fault
from tidemill.monitoring.history import History, load_history
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.runner.alerts import record_alerts
from tidemill.runner.retrain.ask import ask_for_alerts
from tidemill.warehouse.control.database import Tx
from tidemill.warehouse.control.leases import Lease, require
from tidemill.warehouse.control.monitoring import Part, mark_judged, save_measurements

if TYPE_CHECKING:
    from tidemill.monitoring.alert import Transition
    from tidemill.runner.stations import Stations


@dataclass(slots=True, kw_only=True)
class Book:
    """The book of one deployment.

    Parameters
    ----------
    happened
        What windows did to alerts.
    """

    stations: Stations
    deployment: str
    lease: Lease
    happened: list[Transition] = field(default_factory=list)
    _history: History | None = None

    def write(
        self,
        window: Window,
        part: Part,
        measurements: Iterable[Measurement],
        also: Callable[[Tx], None] = lambda _: None,
    ) -> None:
        """Write the figures of a part of a window, and what belongs to them, in one transaction."""
        rows: list[dict[str, Any]] = [asdict(one) for one in measurements]
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            also(tx)
            save_measurements(tx, self.deployment, window.start, part, rows)

    def judge(self, window: Window, part: Literal["inputs", "quality"], measurements: Sequence[Measurement]) -> None:
        """Let the figures of a window open alerts, or end them; then write down that this was done.

        A pass that is killed between the two judges the window again, which changes nothing.
        """
        self.alert(window, measurements)
        fault("monitor.judged")
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            mark_judged(tx, self.deployment, window.start, part)

    def alert(self, window: Window, measurements: Sequence[Measurement]) -> None:
        """Let the figures of a window open alerts, or end them."""
        # Where writing fails, what was kept up to date is not what is written: it is read again.
        history, self._history = self._history, None
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            history = history or load_history(tx, self.deployment)
            happened = record_alerts(self.stations, self.deployment, window, measurements, tx=tx, history=history)
        self._history = history
        ask_for_alerts(self.stations, self.deployment, happened)
        self.happened += happened
