"""A bench for ML functions: trains small real models, and calls functions on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tidemill.core.rows import Rows
from tidemill.evaluation.judge import judge
from tidemill.model_types.table import find_model_type
from tidemill.registry.versions import LoadedModel
from tidemill.runner.call import FunctionCall
from tidemill.runner.dispatch import TABLE_FUNCTIONS
from tidemill.runner.execute import Context, OpenQuery, QueryInput, open_query
from tidemill.sql.bound import BoundCall, BoundQuery
from tidemill.sql.statements import TransformItem
from tidemill.training.task import TrainTask
from tidemill.training.train import train
from tidemill.warehouse.protocol import Session

# 40 rows whose numbers are exact: a number, a category with NULLs, a date, and labels of each kind.
TOY = """(
    SELECT
        i AS id,
        CASE WHEN i % 7 = 0 THEN NULL ELSE CAST(i * 0.5 AS DOUBLE) END AS size,
        CASE i % 4 WHEN 0 THEN 'red' WHEN 1 THEN 'green' WHEN 2 THEN 'blue' END AS colour,
        DATE '2024-01-01' + CAST(i % 5 AS INTEGER) AS day,
        CAST(3 * i + CASE WHEN i % 4 = 1 THEN 10 ELSE 0 END AS DOUBLE) AS price,
        CASE WHEN (i * 7) % 11 > 5 - i // 20 THEN 'yes' ELSE 'no' END AS sold,
        (i * 5) % 3 AS grade
    FROM range(40) AS t(i)
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Models by name on one session, and what `call` needs."""

    session: Session
    models: dict[str, LoadedModel] = field(default_factory=dict)

    def train(
        self, name: str, kind: str, sql: str, label: str, *, transform: tuple[TransformItem, ...] = (), **options: Any
    ) -> LoadedModel:
        """Train a model once; the same name again gives the model of the first time."""
        if name not in self.models:
            row = find_model_type(kind)
            assert row is not None
            defaults = {option.name.lower(): option.default for option in row.options if option.status == "supported"}
            given = {"input_label_cols": [label], **options}
            task = TrainTask(
                session=self.session,
                sql=sql,
                name=name,
                model_type=row,
                options=defaults | given,
                given=frozenset(given),
                ordered=True,
                transform=transform,
                seed=7,
                threads=2,
            )
            trained = train(task, judge=judge)
            files = trained.files
            manifest = json.loads(files["manifest.json"])
            self.models[name] = LoadedModel(
                name=name,
                version=1,
                manifest=manifest,
                files=files,
                model_type=kind,
                metrics=trained.metrics,
                iterations=trained.iterations,
                feature_info=trained.feature_info,
            )
        return self.models[name]

    def data(self, sql: str) -> QueryInput:
        """A data argument."""
        return QueryInput(OpenQuery(sql=sql, relations={}), self.session)

    def rows(
        self,
        function: str,
        model: LoadedModel,
        sql: str = "",
        *,
        wanted: Sequence[str] | None = None,
        arguments: tuple[Any, ...] = (),
        **settings: Any,
    ) -> Rows:
        """Call a function; nothing is read yet."""
        return TABLE_FUNCTIONS[function](
            FunctionCall(
                function=function,
                model=model,
                inputs=(self.data(sql),) if sql else (),
                settings=settings,
                arguments=arguments,
                wanted=None if wanted is None else frozenset(wanted),
                threads=2,
            )
        )

    def call(self, function: str, model: LoadedModel, sql: str = "", **more: Any) -> pa.Table:
        """Call a function and read all its rows; the schema it promised is the schema it gives."""
        rows = self.rows(function, model, sql, **more)
        table = rows.read()
        assert table.schema == rows.schema
        return table

    def query(self, sql: str, calls: Sequence[BoundCall]) -> pa.Table:
        """Run a query that reads calls, through the engine."""
        context = Context(
            session=self.session,
            load_model=lambda name, _: self.models[name],
            functions=TABLE_FUNCTIONS,
            threads=2,
        )
        opened = open_query(BoundQuery(sql=sql, calls=tuple(calls)), context)
        return self.session.query(opened.sql, opened.relations).read_all()
