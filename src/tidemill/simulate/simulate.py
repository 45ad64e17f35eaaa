"""Replay real rows through a copy of a deployment: everything is real but the clock, and the lake it is kept in."""

from __future__ import annotations

import heapq
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import StateError
from tidemill.monitoring.windows import window_of
from tidemill.runner.deploy import deployment_of
from tidemill.runner.watch.few import few_answers
from tidemill.serving.machine import KEPT_OUT
from tidemill.simulate.copy import Copy, open_copy
from tidemill.simulate.door import Door
from tidemill.simulate.hands import Hands
from tidemill.simulate.learning import Learning, first_version
from tidemill.simulate.ledger import Answered, Ledger
from tidemill.simulate.plants import Plant, Usual
from tidemill.simulate.result import Alerted, Happened, Simulation
from tidemill.simulate.scores import Labels, measure
from tidemill.simulate.stream import NEVER, Stream, micros, moment, open_stream, plant_in, usual_of
from tidemill.warehouse.control.deployments import find_deployment
from tidemill.warehouse.control.monitoring import load_windows

if TYPE_CHECKING:
    import numpy as np

    from tidemill.project import Project
    from tidemill.serving.online.model import OnlineModel
    from tidemill.simulate.request import Request

STEPS = 24
"""Labels are told in bundles, so many times a window of the monitor: a caller tells those of an hour, or of a day."""
STEPS_OF_TRAINING = 4
"""Labels are told so many times between two trainings, at least."""
BETWEEN_TURNS = 256
"""Answers after which the shadow catches up while a version is on trial: its queue holds no more than twice as many."""

BEGINNINGS = frozenset({"deploy", "ask for retraining"})
"""Acts of the audit trail that another one follows, or that are told as requests."""

HOPELESS = 200
"""Rows refused, and none answered: the replay ends there, for it sends something else than the model takes."""

Listener = Callable[[str, float], None]
"""Told what the replay is at, and which share of its rows is behind it."""


def simulate(project: Project, request: Request, listen: Listener = lambda _text, _share: None) -> Simulation:
    """Replay rows through a copy of a deployment, and say how it did.

    Parameters
    ----------
    listen
        Told how far it is.

    Raises
    ------
    NotFoundError
        There is no such deployment, table or column.
    SettingsError
        What was asked for cannot be done with these rows.
    StateError
        The deployment has no champion, the model cannot be trained anew, or the server refuses every row.
    """
    began = perf_counter()
    listen("reading the rows", 0.0)
    stream = open_stream(project, request, label=label_of(project, request))
    with tempfile.TemporaryDirectory(prefix="tidemill-simulate-") as scratch:
        hands = Hands(now=moment(stream.at[stream.begin]), speed=request.speed)
        copy = open_copy(project, request, Path(scratch), clock=hands.clock)
        try:
            return _Replay.open(copy, request, stream, hands, listen).run(began)
        finally:
            copy.project.close()


def label_of(project: Project, request: Request) -> str:
    """The label's column: what was asked for, or the model's.

    Raises
    ------
    StateError
        There is no model yet that would say it.
    """
    if request.label:
        return request.label
    settings = deployment_of(project.stations, request.deployment)
    found = find_deployment(project.db, settings.name)
    version = None if found is None else found.champion
    return str(project.stations.load_model(settings.model, version).manifest["label"]["column"])


@dataclass(slots=True, kw_only=True)
class _Replay:
    """A replay on its way."""

    copy: Copy
    request: Request
    stream: Stream
    hands: Hands
    door: Door
    first: OnlineModel
    learning: Learning
    listen: Listener
    plants: Mapping[Plant, Usual]
    random: np.random.Generator
    truths: list[Any]
    costs: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    ledger: Ledger = field(default_factory=Ledger)
    refusal: str = ""
    windows: int = 0
    told_until: datetime | None = None
    share: float = 0.0
    notes: list[str] = field(default_factory=list)
    waiting: list[tuple[int, int, str]] = field(default_factory=list)

    @classmethod
    def open(cls, copy: Copy, request: Request, stream: Stream, hands: Hands, listen: Listener) -> _Replay:
        """Train and deploy the first version, where the champion is not replayed as it is; then open the door."""
        import numpy as np

        usual = {plant: usual_of(stream, plant) for plant in request.plants}
        costs: dict[str, float] = defaultdict(float)
        learning = Learning(copy=copy, stream=stream, every=request.retrain_every, costs=costs)
        if copy.grows:
            listen("training on the history", 0.0)
            first_version(learning, hands.now)
        elif request.retrain_every is not None:
            raise StateError(
                f"{copy.settings.model} is not trained from {request.replay}, so it learns nothing from the replay",
                hint="replay the table that it is trained from, or leave --retrain out",
            )
        door = Door(copy.project, copy.settings.name, hands)
        try:
            first = door.champion()
        except BaseException:
            door.close()
            raise
        random = np.random.default_rng((request.seed, 2))
        return cls(
            copy=copy,
            request=request,
            stream=stream,
            hands=hands,
            door=door,
            first=first,
            learning=learning,
            listen=listen,
            plants=usual,
            random=random,
            truths=_told(stream, usual, random),
            costs=costs,
        )

    def run(self, began: float) -> Simulation:
        watch = self.copy.settings.monitor
        begin = self.hands.now
        with self.door:
            self.go_on(watch.window, watch.wait)
        if self.ledger.refused and not self.ledger.answers:
            raise self.hopeless()
        self.listen("scoring the answers", 1.0)
        answers = self.ledger.arrays(self.truths, self.stream.at, self.stream.known)
        labels = Labels(truths=self.truths, at=self.stream.at, known=self.stream.known)
        scores = measure(
            answers,
            labels,
            classes=self.first.classes,
            fading=self.request.fading,
            width=watch.window,
            begin=window_of(begin, watch.window).start,
        )
        self.costs["all"] = perf_counter() - began
        if not all(isfinite(value) for one in scores.totals.values() for value in one.values()):
            self.notes.append("labels among these rows are so large that their scores overflow: those are not shown")
        waited = self.learning.waited()
        self.notes += [one.told for one in waited if one.still or one.asked > 1]
        if self.stream.untimed:
            self.notes.append(f"{self.stream.untimed:,} rows without a time were left out")
        few = few_answers(load_windows(self.copy.project.db, self.copy.settings.name), self.copy.settings)
        if few:
            self.notes.append(few)
        return Simulation(
            deployment=self.copy.settings.name,
            replayed=self.request.replay,
            grows=bool(self.copy.grows),
            begin=begin,
            last=self.last,
            labels_until=max(self.told_until or self.last, self.last),
            end=self.hands.now,
            scores=scores,
            refused=self.ledger.refused,
            refusal=self.refusal,
            windows=self.windows,
            planted=tuple(map(str_of, self.request.plants)),
            alerts=_alerts(self.copy.project),
            retrained=tuple(self.learning.done),
            waited=waited,
            trail=_trail(self.copy.project, self.copy.settings.name),
            notes=tuple(dict.fromkeys(self.notes)),
            costs=dict(self.costs),
        )

    def go_on(self, window: timedelta, wait: timedelta) -> None:
        """From slot to slot, passing over those in which nothing happens; after the last row only labels come."""
        step = window / STEPS
        if self.request.retrain_every is not None:
            step = min(step, self.request.retrain_every / STEPS_OF_TRAINING)
        step = max(step, timedelta(minutes=1))
        row, count = self.stream.begin, len(self.stream.at)
        look = window_of(self.hands.now, window).end + wait
        learn = self.learning.next_after(self.hands.now)
        while row < count or self.waiting:
            times = [moment(self.stream.at[row])] if row < count else []
            times += [moment(self.waiting[0][0])] if self.waiting else []
            end = window_of(min([*times, look, *([learn] if learn else [])]), step).end
            row = self.answer_until(row, micros(end))
            self.hands.move(end)
            self.tell(row)
            self.tell_labels()
            if self.door.deployment.standing.trial:
                self.door.turn()
            looks, learns = self.hands.now >= look, learn is not None and self.hands.now >= learn
            if looks:
                self.tell(row, "the monitor looks")
                self.look()
                look = window_of(self.hands.now - wait, window).end + wait
            if row == count:
                learn = None
            elif learn is not None and learns:
                self.tell(row, "training" if self.request.at_once else "")
                self.learn()
                learn = self.learning.next_after(learn)
            if (looks or learns) and row < count and self.learning.wanted and not self.request.at_once:
                self.learning.carry_out(self.hands.now, lambda text: self.listen(text, self.share))
                self.door.turn()
        self.hands.move(look)
        self.tell(row, "the monitor looks")
        self.look()

    @property
    def last(self) -> datetime:
        """When the last row is asked about."""
        return moment(self.stream.at[-1])

    def answer_until(self, row: int, end: int) -> int:
        """Send the rows up to a time; gives back the next one."""
        began = perf_counter()
        stop = row
        while stop < len(self.stream.at) and self.stream.at[stop] < end:
            stop += 1
        batch = self.stream.rows.slice(row, stop - row).select(self.stream.columns).to_pylist()
        self.door.run(self.ask_all(row, batch))
        self.costs["answers"] += perf_counter() - began
        return stop

    async def ask_all(self, row: int, batch: list[dict[str, Any]]) -> None:
        for number, given in enumerate(batch):
            self.hands.move(moment(self.stream.at[row + number]))
            sent = plant_in(given, self.hands.now, self.plants, self.random) if self.plants else given
            await self.ask(row + number, sent)
            if self.door.deployment.standing.trial and number % BETWEEN_TURNS == BETWEEN_TURNS - 1:
                self.door.turn()

    def learn(self) -> None:
        """Ask for a new version; it takes over at once where nothing is to be asked about it."""
        assert self.request.retrain_every is not None  # noqa: S101 - else nobody calls this
        if self.request.at_once:
            self.learning.take_over(self.hands.now)
            self.door.turn()
        else:
            self.learning.ask(self.request.retrain_every)

    async def ask(self, row: int, sent: Mapping[str, Any]) -> None:
        status, answer, body = await self.door.predict(sent)
        if status != HTTPStatus.OK or answer["version"] is None:
            self.ledger.refused += 1
            self.refusal = self.refusal or _refusal(answer)
            if self.ledger.refused >= HOPELESS and not self.ledger.answers:
                raise self.hopeless()
            return
        said = answer["predictions"][0]
        score = _score(said, self.first.classes)
        first, first_score = said["prediction"], score
        if answer["version"] != self.first.version:
            found = self.first.answer(self.first.rows_of_body(body))
            first, first_score = found.predictions[0], float(found.scores[0])
        self.ledger.answers.append(
            Answered(
                row=row,
                version=answer["version"],
                prediction=said["prediction"],
                score=score,
                first=first,
                first_score=first_score,
            )
        )
        if self.stream.known[row] != NEVER:
            heapq.heappush(self.waiting, (int(self.stream.known[row]), row, said["id"]))

    def hopeless(self) -> StateError:
        """Every row is refused: whatever the rest of the replay said would read as if all were well."""
        return StateError(
            f"the server refused every one of {self.ledger.refused:,} rows: {self.refusal}",
            hint="rows are sent as callers send them, with the columns that the model reads: replay the query of its "
            "CREATE MODEL, with the column of time in it",
        )

    def tell_labels(self) -> None:
        """Send the labels that have become known, in one request."""
        began, now, due = perf_counter(), micros(self.hands.now), []
        while self.waiting and self.waiting[0][0] <= now:
            known, row, id_ = heapq.heappop(self.waiting)
            self.told_until = moment(known)
            due.append({"id": id_, "label": self.truths[row]})
        if due:
            self.door.run(self.door.label(due))
        self.costs["labels"] += perf_counter() - began

    def look(self) -> None:
        """Collect, and let the monitor look at what is over."""
        with self.timed("monitor"):
            self.door.count()
            self.copy.project.collect()
            for found in self.copy.project.monitor([self.copy.settings.name], ended=self.last):
                if found.error is not None:
                    raise found.error
                self.windows += len(found.windows)
                self.notes += found.notes

    def tell(self, row: int, doing: str = "") -> None:
        """Say how far the replay is, and what it is at where that takes longer."""
        sent, rows = row - self.stream.begin, len(self.stream.at) - self.stream.begin
        self.share = sent / rows
        far = f"{self.hands.now:%Y-%m-%d %H:%M}: row {sent:,} of {rows:,}"
        self.listen(f"{far}; {doing}" if doing else far, self.share)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self.costs[what] += perf_counter() - began


def _told(stream: Stream, plants: Mapping[Plant, Usual], random: np.random.Generator) -> list[Any]:
    """The label of each row as it is told: flipped where that is planted."""
    truths: list[Any] = stream.rows.column(stream.label).to_pylist()
    flips = {plant: usual for plant, usual in plants.items() if plant.kind.of_label}
    for plant, usual in flips.items():
        for row, truth in enumerate(truths):
            if plant.during(moment(stream.at[row])):
                truths[row] = plant.of_value(truth, usual, float(random.random()))
    return truths


def _refusal(answer: Mapping[str, Any]) -> str:
    """What the server said of a row that it did not answer."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return str(answer)[:300]
    return "; ".join(filter(None, (str(error.get("message", "")), str(error.get("hint") or ""))))[:300]


def _score(said: Mapping[str, Any], classes: tuple[Any, ...]) -> float:
    """The probability of the last class; of the called one where there are more than two; the number itself."""
    if not classes:
        return float(said["prediction"])
    chances = list(said["probabilities"].values())
    return float(chances[-1] if len(classes) == 2 else max(chances))


def str_of(plant: Plant) -> str:
    """A trouble as it is asked for."""
    end = f":{plant.end:%Y-%m-%dT%H:%M}" if plant.end else ""
    return f"{plant.kind.name}:{plant.column}:{plant.size:g}:{plant.begin:%Y-%m-%dT%H:%M}{end}"


def _alerts(project: Project) -> tuple[Alerted, ...]:
    return tuple(
        Alerted(
            number=one.number,
            cause=one.cause,
            severity=one.severity,
            headline=one.headline,
            since=one.since,
            opened_at=one.opened_at,
            resolved_at=one.resolved_at,
            subjects=tuple(dict.fromkeys(figure[1] for figure in one.figures)),
            chart=one.chart,
        )
        for one in reversed(project.alerts())
    )


def _trail(project: Project, name: str) -> tuple[Happened, ...]:
    """What was done to the deployment, without what only begins another act or asks for one."""
    return tuple(
        Happened(
            at=datetime.fromisoformat(row.at),
            action=row.action,
            version=_version(row.evidence),
            why=row.why,
        )
        for row in project.audit()
        if row.object == f"deployment {name}" and row.action not in BEGINNINGS
    )


def _version(evidence: Mapping[str, Any]) -> int | None:
    """The version that an act was about: the one refused or taken back, else the one on trial, else the champion."""
    out = [version for version, state in evidence.get("versions", {}).items() if state in KEPT_OUT]
    after = evidence.get("after", evidence)
    found = next(iter(out), None) or after.get("challenger") or after.get("champion")
    return None if found is None else int(found)
