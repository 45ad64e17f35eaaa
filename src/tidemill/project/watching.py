"""The answers, watched: monitors, alerts and where they are sent, and new versions that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill.core.who import current_user
from tidemill.project.opened import Opened

if TYPE_CHECKING:
    from tidemill.monitoring.deliver import Passed
    from tidemill.monitoring.verdict import Key
    from tidemill.runner.retrain.carry_out import Retrained
    from tidemill.runner.watch.deployment import Monitored
    from tidemill.warehouse.control.alerts import AlertEvent, AlertRow
    from tidemill.warehouse.control.deliveries import SinkState
    from tidemill.warehouse.control.retrain import RetrainRequest


class Watching(Opened):
    """How a project is watched."""

    def monitor(
        self,
        names: Sequence[str] = (),
        *,
        listen: Callable[[str], None] = lambda _: None,
        wait_s: float = 0,
        ended: datetime | None = None,
    ) -> list[Monitored]:
        """Measure and judge the windows that are over, of some deployments or of all that are watched.

        Parameters
        ----------
        listen
            Told of each window.
        wait_s
            How long to wait for another monitor to end.
        ended
            When the last answer comes, where that is known: after it nobody is missed.

        Raises
        ------
        BusyError
            Another monitor is at work.
        """
        from tidemill.runner.watch.monitor import monitor

        return monitor(self.stations, names, listen=listen, wait_s=wait_s, ended=ended)

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
        """Send nothing of what an alert is about until a moment, also when it comes back; None lets it be heard."""
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

    def retrain_requests(self, deployment: str | None = None) -> list[RetrainRequest]:
        """Requests for new versions, the newest first; ``said`` is how each stands now."""
        from tidemill.runner.retrain.standing import as_they_stand

        return as_they_stand(self.db, deployment)

    def retrain_due(
        self, *, only: int | None = None, listen: Callable[[str], None] = lambda _: None
    ) -> list[Retrained]:
        """Carry out the requests for new versions that may be carried out now; ``only`` the one of a number.

        Raises
        ------
        BusyError
            Another process is at it.
        """
        from tidemill.runner.building import build_model
        from tidemill.runner.retrain.carry_out import carry_out_due

        return carry_out_due(self.stations, lambda model: build_model(self.site, model), only=only, listen=listen)
