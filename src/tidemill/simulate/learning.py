"""What a copy learns as the replay goes on: its table grows by the rows whose labels came, and its model follows."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter

import numpy as np  # noqa: TID253

from tidemill.core.durations import show_duration
from tidemill.core.errors import StateError
from tidemill.core.sections import RolloutSettings
from tidemill.serving.changes import apply_move
from tidemill.serving.machine import Move, begin
from tidemill.simulate.copy import WHO, Copy
from tidemill.simulate.result import Retrained, Waited
from tidemill.simulate.stream import Stream, micros
from tidemill.warehouse.control.deployments import Deployment, get_deployment
from tidemill.warehouse.control.models import get_version
from tidemill.warehouse.control.retrain import RetrainRequest

STEP = "replay"
AT_ONCE = RolloutSettings(
    shadow_requests=0, shares=(), requests_per_share=1, seconds_per_share=0.0, cool_down_seconds=0.0
)
MOST_APPENDED = 64
"""So many small files of a table are written anew as one: each costs a reader something."""


@dataclass(slots=True, kw_only=True)
class Learning:
    """The training of a copy.

    Parameters
    ----------
    every
        How often a new version is asked for, whatever else asks; None for never.
    done
        Each time it was tried.
    waits
        By a version on trial: what was asked for meanwhile.
    """

    copy: Copy
    stream: Stream
    every: timedelta | None
    costs: MutableMapping[str, float]
    done: list[Retrained] = field(default_factory=list)
    waits: dict[int, Waited] = field(default_factory=dict)
    _upto: int = -1
    _appended: int = 0

    def next_after(self, now: datetime) -> datetime | None:
        """When it is trained next."""
        return None if self.every is None else now + self.every

    @property
    def wanted(self) -> bool:
        """Whether anything may ask for a new version."""
        return bool(self.copy.grows) and (self.every is not None or bool(self.copy.settings.retrain.on))

    def ask(self, every: timedelta) -> None:
        """Ask for a new version, as a person does: no cap and no pause keeps it waiting, a version on trial does."""
        why = f"every {show_duration(every)}"
        self.copy.project.request_retraining(self.copy.settings.name, who=WHO, why=why)

    def carry_out(self, now: datetime, listen: Callable[[str], None]) -> None:
        """Carry out what was asked for and need not wait, on the rows whose labels have come."""
        began = perf_counter()
        rows = self.grow(now)
        for one in self.copy.project.retrain_due(listen=listen):
            request = one.request
            if request.finished_at is not None:
                self.done.append(
                    Retrained(
                        at=now,
                        rows=rows,
                        causes=request.causes,
                        outcome=request.status,
                        version=request.version,
                        why=request.said if one.error is None else one.error.message,
                        seconds=perf_counter() - began,
                        asked=request.asked,
                    )
                )
            else:
                self._wait(now, request)
        self.costs["training"] += perf_counter() - began

    def waited(self) -> tuple[Waited, ...]:
        """What waited for a version on trial; whether it was there to the end is known only then."""
        challenger = get_deployment(self.copy.project.db, self.copy.settings.name).challenger
        return tuple(replace(one, still=one.version == challenger) for one in self.waits.values())

    def _wait(self, now: datetime, request: RetrainRequest) -> None:
        challenger = get_deployment(self.copy.project.db, self.copy.settings.name).challenger
        if challenger is None:  # the deployment cools down, or the cap holds
            return
        since = next((one.at for one in reversed(self.done) if one.version == challenger), now)
        self.waits[challenger] = Waited(
            version=challenger, since=since, asked=request.asked, still=False, why=request.said
        )

    def take_over(self, now: datetime) -> None:
        """Train on what is known, and let the version answer at once: neither gates nor rollout are asked."""
        began, rows = perf_counter(), self.grow(now)
        project, model = self.copy.project, self.copy.settings.model
        report = project.run([model])
        made, name = get_version(project.db, model), self.copy.settings.name
        newest, why, outcome = made.version, "takes over at once", "done"
        problem = next((step.error.message for step in report.steps if step.error is not None), "")
        champion = get_version(project.db, model, get_deployment(project.db, name).champion)
        if problem:
            outcome = "failed"
        elif newest == champion.version:
            outcome, why = "unchanged", f"nothing new to learn from: version {newest} is of the same rows"
        elif made.digest == champion.digest:
            outcome, why = "unchanged", f"nothing new learnt: version {newest} is the champion's bytes"
        else:
            apply_move(project.db, name, lambda it, _: _noted(it, newest), who=WHO, why=why)
            apply_move(project.db, name, lambda it, _: begin(it, newest, rollout=AT_ONCE), who=WHO, why=why)
        spent = perf_counter() - began
        self.costs["training"] += spent
        self.done.append(
            Retrained(
                at=now,
                rows=rows,
                causes=("person",),
                outcome=outcome,
                version=newest,
                why=problem or why,
                seconds=spent,
            )
        )

    def grow(self, now: datetime) -> int:
        """Put the rows whose labels have come into the table; how many there are in all."""
        known, upto = self.stream.known, micros(now)
        if self._upto < 0 or self._appended >= MOST_APPENDED:
            fresh, whole = np.flatnonzero(known <= upto), True
        else:
            fresh, whole = np.flatnonzero((known > self._upto) & (known <= upto)), False
        self._upto = upto
        if whole or len(fresh):
            self._write(fresh, whole=whole)
            self._appended = 0 if whole else self._appended + 1
        return int((known <= upto).sum())

    def _write(self, rows: np.ndarray, *, whole: bool) -> None:
        """Publish rows as the table, or add them to it."""
        project, table = self.copy.project, self.copy.grows
        run_id = project.clock.new_id()
        relations = {"replayed": self.stream.rows.take(rows)}
        with project.warehouse.session() as session:
            staged = project.warehouse.stage(session, "SELECT * FROM replayed", relations, table=table, attempt=run_id)
        put = project.warehouse.publish if whole else project.warehouse.append
        put(staged, run_id=run_id, step=STEP, guard=_nothing)


def first_version(learning: Learning, now: datetime) -> None:
    """Train on the history, and let the version answer.

    Raises
    ------
    StateError
        There is no history, or training on it fails.
    TidemillError
        Why it fails.
    """
    began = perf_counter()
    if not learning.grow(now):
        raise StateError("no label is known when the replay begins, so there is nothing to train on",
                         hint="begin later: --from")  # fmt: skip
    model = learning.copy.settings.model
    report = learning.copy.project.run([model])
    if report.status != "ok":
        failed = next((step.error for step in report.steps if step.error is not None), None)
        raise failed or StateError(f"{model} could not be trained on the history")
    learning.costs["training"] += perf_counter() - began
    why = "the simulation begins"
    learning.copy.project.deploy(learning.copy.settings.name, who=WHO, why=why, override=why)


def _noted(now: Deployment, version: int) -> Move:
    return Move(action="deploy", after=now, states={version: "candidate"})


def _nothing() -> None:
    return
