"""What was answered: the log, the labels that come later, and single predictions computed and explained again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import BusyError, SettingsError, TidemillError
from tidemill.project.opened import Opened

if TYPE_CHECKING:
    import threading

    from tidemill.runner.label_columns import LabelRequest
    from tidemill.runner.labels import LabelReport
    from tidemill.runner.replay import Replay
    from tidemill.serving.log.collect import Collected
    from tidemill.serving.log.follow import LogPlaces
    from tidemill.serving.online.explain import Explanation


class Answers(Opened):
    """What a project knows of what it answered."""

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

        def before() -> None:
            try:
                self.read_again()
            except SettingsError as error:
                report(error)
            self._take_labels(report)

        follow(self._log_places(), stop=stop, report=report, before=before)

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

    def replay(self, prediction_id: str, *, retrain: bool = False) -> Replay:
        """Compute a logged prediction anew; with ``retrain`` train its version anew too, and compare digests."""
        from tidemill.runner.replay import replay

        return replay(self.stations, prediction_id, again=retrain)

    def explain(self, prediction_id: str) -> tuple[Mapping[str, Any], Explanation]:
        """The log's row of a prediction, and what each input added to its score."""
        from tidemill.runner.replay import explain

        return explain(self.stations, prediction_id)

    def _collect(self) -> Collected:
        from tidemill.serving.log.follow import collect_once

        return collect_once(self._log_places())

    def _take_labels(self, report: Callable[[TidemillError], None]) -> None:
        """Read the labels that settings declare; trouble with one deployment's is told, and the others' are read."""
        from tidemill.warehouse.control.troubles import save_troubles

        failed: Mapping[str, str] = {}
        if any(one.labels.declared for one in self.settings.deployments.values()):
            from tidemill.runner.labels import deliver_declared

            failed = deliver_declared(self.stations, report)
        save_troubles(self.db, "collector", failed)

    def _log_places(self) -> LogPlaces:
        from tidemill.serving.log.follow import LogPlaces

        return LogPlaces(db=self.db, warehouse=self.warehouse, spool=self.keep / "spool", clock=self.clock)
