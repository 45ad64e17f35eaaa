"""One stage of a rollout as a worker judges it: kills the challenger on the board, then writes the move down."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tidemill.core.clock import Clock
from tidemill.core.sections import DeploymentSettings
from tidemill.serving.changes import apply_move
from tidemill.serving.live_deployment import LiveDeployment
from tidemill.serving.machine import Move, advance, roll_back
from tidemill.serving.rollout import Judgement, judge
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.deployments import DeployedVersion, Deployment
from tidemill.warehouse.control.outcomes import Outcomes, load_outcomes

WHO = "tidemill serve"


class Trial:
    """A challenger in one stage.

    Parameters
    ----------
    number
        The trial's name on the board.
    refused
        Why the challenger could not be loaded; it is rolled back for that.
    """

    def __init__(
        self, row: Deployment, *, number: int, settings: DeploymentSettings, clock: Clock, refused: str = ""
    ) -> None:
        self.row = row
        self.number = number
        self.settings = settings
        self.clock = clock
        self.verdict: Judgement | None = None
        self._outcomes: tuple[Outcomes, Outcomes] = (Outcomes(), Outcomes())
        self._since = clock.monotonic()
        self._done = False
        if refused:
            self.verdict = Judgement(decision="roll back", why=refused, evidence={"stage": row.stage})

    def read_outcomes(self, db: Database) -> None:
        """Take over how labelled answers of both versions came out."""
        found = load_outcomes(db, self.row.name, self.row.stage_since)
        champion, challenger = self.row.champion, self.row.challenger
        empty = Outcomes()
        self._outcomes = (found.get(champion or 0, empty), found.get(challenger or 0, empty))

    def look(self, deployment: LiveDeployment, database: Callable[[], Database]) -> None:
        """Judge what was counted so far, and act on it.

        Raises
        ------
        TidemillError
            The move could not be written; the challenger is killed all the same, and the next look tries again.
        """
        if self._done:
            return
        if self.verdict is None or self.verdict.decision != "roll back":
            self.verdict = judge(
                deployment.board.counts(self.number),
                stage=self.row.stage,
                classifier=deployment.champion is not None and bool(deployment.champion.classes),
                seconds=self.clock.monotonic() - self._since,
                rollout=self.settings.rollout,
                rollback=self.settings.rollback,
                outcomes=self._outcomes,
            )
        if self.verdict.decision == "roll back":
            deployment.board.kill(self.number)
            self._write(database, self._back)
        elif self.verdict.decision == "advance" and not deployment.standing.held:
            self._write(database, self._on)

    def _write(self, database: Callable[[], Database], choose: Callable[[Deployment], Move | None]) -> None:
        assert self.verdict is not None  # noqa: S101 - it was judged

        def still(now: Deployment, _: Mapping[int, DeployedVersion]) -> Move | None:
            # Another worker, or a person, may have been faster.
            same = (now.challenger, now.stage_since) == (self.row.challenger, self.row.stage_since)
            return choose(now) if same else None

        apply_move(database(), self.row.name, still, who=WHO, why=self.verdict.why, evidence=self.verdict.evidence)
        self._done = True

    def _back(self, now: Deployment) -> Move:
        return roll_back(now, now=self.clock.now(), cool_down_s=self.settings.rollout.cool_down_seconds)

    def _on(self, now: Deployment) -> Move | None:
        return None if now.held else advance(now, rollout=self.settings.rollout)
