"""What answers: versions pass their gates, take their share of requests, and go back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidemill.core.who import current_user
from tidemill.project.opened import Opened

if TYPE_CHECKING:
    from tidemill.runner.deploy import Deployed
    from tidemill.runner.status import Status
    from tidemill.warehouse.control.deployments import Deployment, GateResult


class Deployments(Opened):
    """What can be done with what a project deploys."""

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

        now = self.clock.now()
        return statuses(self.db, self.keep, settings=self.settings, now=now, changes=changes)

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
                wrong=self.wrong,
            )
        )
