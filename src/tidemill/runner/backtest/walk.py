"""Walks through time: trains at each cut on what was known then, and scores the periods after it.

Nothing is registered and the lake is only read. The rows of the model's query are kept once for the session; each
training then sees what TRAIN_AS_OF leaves of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidemill.core.durations import show_duration
from tidemill.core.errors import BindError, DataError, EmptyDataError, OptionError, SettingsError
from tidemill.core.names import did_you_mean, name_key, quote_name
from tidemill.evaluation.ageing import ageing, reach
from tidemill.model_types._over_time import read_window
from tidemill.runner.backtest.report import BacktestReport, Cut, Score, sentences
from tidemill.runner.shape import start_of

if TYPE_CHECKING:
    import numpy as np

    from tidemill.model_types.base import Labels
    from tidemill.runner.stations import Stations
    from tidemill.sql.options import CheckedOptions
    from tidemill.sql.statements import CreateModel, Query
    from tidemill.training.result import TrainedModel
    from tidemill.training.task import TrainTask
    from tidemill.warehouse.protocol import Session

MOST_CUTS = 2_000
_FIRST_SHARE = 0.2
"""Without ``--from`` this share of the time is history for the first training."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a backtest.

    Parameters
    ----------
    ages
        On how many periods after it a training is tested.
    first, last
        The first cut, and the end of the last period.
    window, half_life, time, known
        In place of the model's own options.
    """

    model: str
    every: timedelta
    ages: int = 8
    first: datetime | None = None
    last: datetime | None = None
    window: str = ""
    half_life: str = ""
    metric: str = ""
    time: str = ""
    known: str = ""


def backtest(
    stations: Stations,
    statement: CreateModel,
    views: Mapping[str, Query],
    asked: Asked,
    *,
    listen: Callable[[str], None] = lambda _: None,
) -> BacktestReport:
    """Backtest the model of a statement.

    Raises
    ------
    OptionError
        Nothing says which column is the time of a row.
    SettingsError
        There is no whole period, there are too many, or the model has no such metric.
    """
    from tidemill.runner.execute import open_query
    from tidemill.runner.files import FileReads
    from tidemill.sql.options import check_create_model

    checked = check_create_model(statement)
    began = stations.clock.monotonic()
    with stations.session() as session:
        files = FileReads(stations, session, sure=True)
        assert statement.query is not None  # noqa: S101 - checked above
        bound = stations.bind(statement.query, views=views, files=files.sql)
        opened = open_query(bound, stations.context(session))
        names = list(session.schema(opened.sql, opened.relations).names)
        order = [] if bound.ordered and not opened.relations else [session.row_hash(names)]
        listen("reading rows")
        kept = session.materialise(opened.sql, opened.relations, sort=order)
        task = _task(stations, session, statement, checked, names, asked, sql=f"SELECT * FROM {kept}")
        walk = _Walk(stations=stations, session=session, kept=kept, task=task, asked=asked, listen=listen)
        found = walk.run()
    said = (*found.said, *_unused(checked))
    return replace(found, said=said, seconds=stations.clock.monotonic() - began)


def _task(
    stations: Stations,
    session: Session,
    statement: CreateModel,
    checked: CheckedOptions,
    names: list[str],
    asked: Asked,
    *,
    sql: str,
) -> TrainTask:
    """The training of the statement, with what was asked in place of its options."""
    from tidemill.training.task import TrainTask

    changed = {
        "train_time_col": asked.time or time_of(checked),
        "train_known_col": asked.known or checked.values.get("train_known_col"),
        "train_window": asked.window or checked.values.get("train_window") or "all",
        "train_half_life": asked.half_life or checked.values.get("train_half_life"),
        "warm_start": False,
    }
    where = start_of(statement.source)
    if not changed["train_time_col"]:
        raise OptionError(
            f"nothing says which column of model {statement.name} is the time of a row",
            where=where,
            hint="add TRAIN_TIME_COL = 'its name' to OPTIONS, and the column to the query; or give --time NAME",
        )
    for option in ("train_time_col", "train_known_col"):
        wanted = changed[option]
        if wanted and name_key(str(wanted)) not in map(name_key, names):
            raise BindError(
                f"model {statement.name} has no column {wanted} in its query",
                where=where,
                hint=did_you_mean(str(wanted), names),
            )
    try:
        read_window(str(changed["train_window"]))
    except ValueError:
        raise SettingsError(f"the window is {asked.window!r}", hint="'all', or such as 'last 90 days'") from None
    given = {name for name, value in changed.items() if value}
    return TrainTask(
        session=session,
        sql=sql,
        name=statement.name,
        model_type=checked.model_type,
        options={**checked.values, **changed},
        given=frozenset({*checked.given, *given, "train_as_of"}),
        ordered=True,
        transform=statement.transform,
        seed=stations.settings.seed,
        threads=stations.threads,
        where=where,
    )


def _unused(checked: CheckedOptions) -> tuple[str, ...]:
    as_of = checked.values.get("train_as_of")
    said = f"TRAIN_AS_OF = '{as_of}' of the statement is not used here: each training is as of its own moment."
    return (said,) if as_of else ()


def time_of(checked: CheckedOptions) -> str:
    """The column that is the time of a row by a model's options, also the one that a split in order goes by; or ''."""
    named = str(checked.values.get("train_time_col") or "")
    by_order = checked.values.get("data_split_method") == "SEQ"
    return named or (str(checked.values.get("data_split_col") or "") if by_order else "")


@dataclass(slots=True, kw_only=True)
class _Walk:
    stations: Stations
    session: Session
    kept: str
    task: TrainTask
    asked: Asked
    listen: Callable[[str], None]

    def run(self) -> BacktestReport:
        """Train and score at every cut."""
        cuts = self._cuts()
        done: list[Cut] = []
        scores: list[Score] = []
        static: list[Score] = []
        notes: list[str] = []
        metric = self.asked.metric
        higher = True
        for number, at in enumerate(cuts, 1):
            self.listen(f"{at:%Y-%m-%d %H:%M}: training {number} of {len(cuts)}")
            try:
                trained = self._train(at)
            except DataError as error:
                notes.append(f"{at:%Y-%m-%d %H:%M}: {error.message}")
                continue
            labels = _labels_of(trained)
            metric = metric or _default_metric(labels)
            higher = _higher_is_better(metric, labels)
            done.append(Cut(at=at, rows=trained.rows_train + trained.rows_eval, seconds=trained.seconds))
            last = at + reach(number - 1, self.asked.ages) * self.asked.every
            until = self._end if not static else min(last, self._end)
            try:
                found = list(self._scores(trained, labels, at, until, metric))
            except DataError as error:
                notes.append(f"{at:%Y-%m-%d %H:%M}: {error.message}")
                continue
            static = static or found
            scores += found
        if not done:
            raise EmptyDataError(f"no training succeeded: {notes[0]}" if notes else "no training succeeded")
        place = {at: number for number, at in enumerate(cuts)}
        by_place = {(place[one.start], one.age): one.value for one in scores if one.start in place}
        by_start = {place[one.start]: one.value for one in static if one.start in place}
        figures = ageing(by_place, by_start, higher_is_better=higher, most_ages=self.asked.ages)
        seconds = sorted(cut.seconds for cut in done)
        return BacktestReport(
            model=self.task.name,
            metric=metric,
            every=self.asked.every,
            window=str(self.task.options["train_window"]),
            time=str(self.task.options["train_time_col"]),
            known=str(self.task.options["train_known_col"] or ""),
            cuts=tuple(done),
            scores=tuple(scores),
            static=tuple(static),
            ageing=figures,
            said=sentences(figures, metric=metric, every=self.asked.every, cost_s=seconds[len(seconds) // 2]),
            notes=tuple(notes),
        )

    @property
    def _at(self) -> str:
        return f"epoch_us({quote_name(str(self.task.options['train_time_col']))})"

    @property
    def _end(self) -> datetime:
        if self.asked.last is not None:
            return self.asked.last
        return _moment(int(self._value(f"max({self._at})"))) + timedelta(microseconds=1)

    def _value(self, expression: str) -> Any:
        batch = next(batch for batch in self.session.query(f"SELECT {expression} FROM {self.kept}") if batch.num_rows)
        return batch.column(0)[0].as_py()

    def _cuts(self) -> list[datetime]:
        """The begin of each whole period, on a grid that ends at the last row."""
        from tidemill.training.source import find_named
        from tidemill.training.window import read_moments

        schema = self.session.schema(self.task.sql)
        read_moments(self.task, schema, find_named)
        first = self._value(f"min({self._at})")
        if first is None:
            raise EmptyDataError(f"no row of model {self.task.name} has a time", where=self.task.where)
        begin, end, every = _moment(int(first)), self._end, self.asked.every
        start = self.asked.first or begin + (end - begin) * _FIRST_SHARE
        count = int((end - start) / every)
        if count < 1:
            raise SettingsError(
                f"there is no whole period of {show_duration(every)} between {start:%Y-%m-%d %H:%M} and "
                f"{end:%Y-%m-%d %H:%M}",
                hint=f"rows go from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}; choose a shorter --every",
            )
        if count > MOST_CUTS:
            raise SettingsError(
                f"a training every {show_duration(every)} from {start:%Y-%m-%d %H:%M} on would be {count:,} trainings",
                hint=f"at most {MOST_CUTS:,}: choose a longer --every, or a later --from",
            )
        if self.asked.first is None:
            start = end - count * every  # whole periods up to the newest row
        return [start + number * every for number in range(count)]

    def _train(self, at: datetime) -> TrainedModel:
        from tidemill.evaluation.judge import judge
        from tidemill.training.train import train

        as_of = at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        return train(replace(self.task, options={**self.task.options, "train_as_of": as_of}), judge=judge)

    def _scores(
        self, trained: TrainedModel, labels: Labels, at: datetime, until: datetime, metric: str
    ) -> Iterator[Score]:
        """The metric of a training on each whole period up to a moment."""
        from tidemill.evaluation.judge import judge

        periods = int((until - at) / self.asked.every)
        width = _micros(_EPOCH + self.asked.every)
        begin = _micros(at)
        where = (
            f"{self._at} >= {begin} AND {self._at} < {begin + periods * width}"
            f" AND {quote_name(labels.column)} IS NOT NULL"
        )
        counted = (
            f"SELECT ({self._at} - {begin}) // {width} AS p, count(*) AS n FROM {self.kept} WHERE {where} GROUP BY 1"
        )
        sizes = {int(p): int(n) for p, n in _pairs(self.session, f"{counted} ORDER BY 1")}
        if not sizes:
            return
        y, found = self._judged(trained, f"SELECT * FROM {self.kept} WHERE {where} ORDER BY {self._at}")
        done = 0
        for age, size in sorted(sizes.items()):
            part = slice(done, done + size)
            done += size
            value = judge(labels, y[part], found[part]).get(metric)
            if value is not None:
                start = at + age * self.asked.every
                yield Score(cut=at, age=age, start=start, rows=size, value=value)

    def _judged(self, trained: TrainedModel, sql: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores of rows, in their order."""
        from tidemill.registry.versions import LoadedModel
        from tidemill.runner.call import FunctionCall
        from tidemill.runner.execute import OpenQuery, QueryInput
        from tidemill.runner.functions.facts import ModelFacts
        from tidemill.runner.functions.scoring import judged_rows

        model = LoadedModel(
            name=self.task.name,
            version=0,
            manifest=json.loads(trained.files["manifest.json"]),
            files=trained.files,
            model_type=trained.model_type,
            digest=trained.digest,
        )
        call = FunctionCall(
            function="ML.EVALUATE",
            model=model,
            inputs=(QueryInput(OpenQuery(sql=sql, relations={}), self.session),),
            settings={},
            threads=self.task.threads,
        )
        return judged_rows(call, ModelFacts(model))()


def _pairs(session: Session, sql: str) -> Iterator[tuple[Any, Any]]:
    for batch in session.query(sql):
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _labels_of(trained: TrainedModel) -> Labels:
    from tidemill.model_types.base import Labels

    label = json.loads(trained.files["manifest.json"])["label"]
    return Labels(column=label["column"], classes=tuple(label["classes"]))


def _default_metric(labels: Labels) -> str:
    from tidemill.serving.gates.case import default_metric

    return default_metric(labels)


def _higher_is_better(metric: str, labels: Labels) -> bool:
    from tidemill.evaluation.judge import metric_names
    from tidemill.evaluation.metric_names import HIGHER_IS_BETTER

    known = metric_names(labels)
    if metric not in known:
        raise SettingsError(f"this model has no metric {metric}", hint=did_you_mean(metric, known))
    return metric in HIGHER_IS_BETTER
