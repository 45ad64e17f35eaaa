"""A deployment as a worker has it in memory: the versions that are loaded, and which of them answers a request.

The request path reads one attribute, `standing`, which the watching thread replaces as a whole: a request sees the
deployment before a change or after it, never between.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tidemill.core.sections import DeploymentSettings
from tidemill.serving.board import CHALLENGER, CHAMPION, Board
from tidemill.serving.online.model import Answers, OnlineModel, Parsed
from tidemill.serving.routing import in_share, turn_in_share

Route = Literal["champion", "challenger"]

MOST_WAITING = 512
"""Requests that wait for the shadow; more than these are passed over, and counted as such."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A version that answers a request, and as what."""

    model: OnlineModel
    route: Route
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a worker knows of a deployment; replaced as a whole.

    Parameters
    ----------
    trial
        Names the stage that the challenger is in; 0 when there is none.
    problem
        Why a version that should answer does not, in words.
    """

    generation: int = -1
    champion: Arm | None = None
    challenger: Arm | None = None
    stage: str = "idle"
    share: float = 0.0
    held: bool = False
    stopped: bool = False
    trial: int = 0
    salt: bytes = b""
    models: Mapping[int, OnlineModel] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A request on its way to the shadow: what the champion read and answered."""

    parsed: Parsed
    answers: Answers
    request: str


class LiveDeployment:
    """One deployment in one worker."""

    def __init__(self, settings: DeploymentSettings, board: Board) -> None:
        self.settings = settings
        self.name = settings.name
        self.board = board
        self.standing = Standing()
        self.waiting: deque[Mirrored] = deque()
        self.passed_over = 0
        self._turns = itertools.count(1)

    @property
    def champion(self) -> OnlineModel | None:
        """The version that answers."""
        arm = self.standing.champion
        return None if arm is None else arm.model

    @property
    def challenger(self) -> OnlineModel | None:
        """The version on trial."""
        arm = self.standing.challenger
        return None if arm is None else arm.model

    @property
    def stage(self) -> str:
        """The rollout's stage: idle, shadow or canary."""
        return self.standing.stage

    @property
    def share(self) -> float:
        """The challenger's share of the traffic, in [0, 1]."""
        return self.standing.share

    @property
    def stopped(self) -> bool:
        """Whether the fallback answers everything."""
        return self.standing.stopped

    def choose(self, key: str | None) -> Arm | None:
        """The version that answers a request with this key; None when none may, and the fallback does.

        A request of several rows is answered by one version: the first row's key decides.
        """
        standing = self.standing
        if standing.stopped:
            return None
        trial = standing.challenger
        if trial is not None and standing.share and not self.board.killed(standing.trial):
            if key is None:
                chosen = turn_in_share(next(self._turns), standing.share)
            else:
                chosen = in_share(key, standing.share, salt=standing.salt)
            if chosen:
                return trial
        return standing.champion

    def version(self, number: int) -> OnlineModel | None:
        """A version that is loaded."""
        return self.standing.models.get(number)

    def observe(self, arm: Arm, *, seconds: float, error: bool, scores: Sequence[float]) -> None:
        """Count a request while two versions are compared; costs next to nothing when they are not."""
        if self.standing.trial:
            number = CHAMPION if arm.route == "champion" else CHALLENGER
            self.board.count(number, seconds=seconds, error=error, scores=scores)

    def mirror(self, parsed: Parsed, answers: Answers, *, request: str) -> None:
        """Let the challenger answer a request in the shadow, once there is time.

        Parameters
        ----------
        parsed, answers
            What the champion read, and what it answered.
        request
            The request's id.
        """
        if self.standing.stage != "shadow":
            return
        if len(self.waiting) >= MOST_WAITING:
            self.passed_over += 1
            return
        self.waiting.append(Mirrored(parsed, answers, request))
