"""A backtest of a project's model, kept as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tidemill.core.errors import NotFoundError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.who import current_user
from tidemill.runner.backtest.walk import backtest
from tidemill.runner.statements import ProjectStatements, Views
from tidemill.sql.statements import CreateModel
from tidemill.warehouse.control.backtests import save_backtest
from tidemill.warehouse.control.models import get_version, list_models

if TYPE_CHECKING:
    from tidemill.runner.backtest.report import BacktestReport
    from tidemill.runner.backtest.walk import Asked
    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import Query
    from tidemill.warehouse.control.database import Database


def backtest_and_keep(
    stations: Stations, statements: ProjectStatements, asked: Asked, *, listen: Callable[[str], None]
) -> BacktestReport:
    """Backtest the model as the project's files say it now, or as it was made last; write the figures down.

    Raises
    ------
    NotFoundError
        No statement makes such a model.
    """
    statement, views = statement_of(stations.db, statements, asked.model)
    found = backtest(stations, statement, views, asked, listen=listen)
    facts = {
        **found.as_json(),
        "who": current_user(),
        "trainings": len(found.cuts),
        "training_s": found.training_seconds,
    }
    scores = [
        {"cut": one.cut, "start": one.start, "age": one.age, "rows": one.rows, "value": one.value}
        for one in {(one.cut, one.age): one for one in (*found.static, *found.scores)}.values()
    ]
    number = save_backtest(stations.db, facts=facts, scores=scores, cuts=(found.cuts[0].at, found.cuts[-1].at))
    return replace(found, number=number)


def statement_of(db: Database, statements: ProjectStatements, model: str) -> tuple[CreateModel, Mapping[str, Query]]:
    """The statement of a model, by the project's files or as it was made last, and the views that it may read.

    Raises
    ------
    NotFoundError
        No statement makes such a model.
    """
    summaries = statements.summaries()
    for summary in summaries:
        if summary.kind == "model" and asset_key(summary.name) == asset_key(model):
            statement = statements.statement(summary.file, summary.ordinal)
            assert isinstance(statement, CreateModel)  # noqa: S101 - its summary says so
            return statement, Views(statements, summaries)
    made = [one.name for one in list_models(db)]
    if asset_key(model) not in map(asset_key, made):
        known = [summary.name for summary in summaries if summary.kind == "model"]
        raise NotFoundError(f"no statement makes a model {model}", hint=did_you_mean(model, [*known, *made]))
    from tidemill.registry.lineage import read_lineage
    from tidemill.runner.pinned import recorded_statement, recorded_views

    lineage = read_lineage(get_version(db, model).lineage)
    return recorded_statement(lineage, f"model {model}"), recorded_views(lineage)
