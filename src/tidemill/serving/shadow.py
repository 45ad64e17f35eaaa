"""The shadow: the challenger answers requests that the champion has answered already, off the request path."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidemill.serving.board import CHALLENGER
from tidemill.serving.live_deployment import LiveDeployment, Mirrored

if TYPE_CHECKING:
    from tidemill.serving.online.model import Answers, OnlineModel, Parsed

Tell = Callable[["OnlineModel", "Parsed", "Answers", Mirrored, float], None]
"""Told of an answer in the shadow: the version, what it read and answered, the request, and the seconds it took."""


def work_off(deployment: LiveDeployment, tell: Tell, *, most: int = 64) -> int:
    """Answer some of the requests that wait; returns how many there were."""
    done = 0
    while deployment.waiting and done < most:
        mirrored = deployment.waiting.popleft()
        challenger = deployment.challenger
        if challenger is not None and not deployment.board.killed(deployment.standing.trial):
            _answer(deployment, challenger, mirrored, tell)
        done += 1
    return done


def _answer(deployment: LiveDeployment, challenger: OnlineModel, mirrored: Mirrored, tell: Tell) -> None:
    began = time.perf_counter()
    try:
        parsed = challenger.reread(mirrored.parsed, key=deployment.settings.key)
        answers = challenger.answer(parsed)
    except Exception:  # noqa: BLE001 - the boundary of a version: the champion could answer, so it is its error
        deployment.board.count(CHALLENGER, seconds=0.0, error=True, scores=())
        return
    seconds = time.perf_counter() - began
    scores = answers.scores.tolist()
    deployment.board.count(CHALLENGER, seconds=seconds, error=False, scores=scores)
    agree = sum(map(_same, mirrored.answers.predictions, answers.predictions))
    pairs = zip(mirrored.answers.scores.tolist(), scores, strict=True)
    deployment.board.compare(
        agree=agree, differ=parsed.n - agree, largest=max((abs(new - old) for new, old in pairs), default=0.0)
    )
    tell(challenger, parsed, answers, mirrored, seconds)


def _same(old: Any, new: Any) -> bool:
    """The same decision: equal classes, or numbers that agree to one part in a million."""
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= 1e-6 * max(1.0, abs(old))
    return bool(old == new)
