"""The TRANSFORM clause during training: its columns with their statistics put in as constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.core.errors import EmptyDataError
from tidemill.core.names import name_key, quote_name
from tidemill.features.plan import FrozenColumn, InputColumn
from tidemill.training.source import TrainingRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The feature columns of TRANSFORM and the raw columns they read; no columns without a TRANSFORM.

    ``listed`` has the names of all its columns, with the label and others that pass through, in its order.
    """

    columns: tuple[FrozenColumn, ...] = ()
    inputs: tuple[InputColumn, ...] | None = None
    listed: tuple[str, ...] = ()

    def sql_by_name(self) -> dict[str, str]:
        """Each column's SQL over the query's rows."""
        return {column.name: column.sql for column in self.columns}

    def select(self, sql: str) -> str:
        """The feature columns over some rows of the query."""
        columns = ", ".join(f"{column.sql} AS {quote_name(column.name)}" for column in self.columns)
        return f"SELECT {columns} FROM ({sql}) AS tm_raw"


def freeze(rows: TrainingRows, training_sql: str) -> Frozen:
    """Learn the statistics of TRANSFORM from the training rows.

    Raises
    ------
    StatementError
        TRANSFORM says something it may not, or changes the label.
    EmptyDataError
        It makes no feature.
    """
    if not rows.task.transform:
        return Frozen()
    from tidemill.features.transform import freeze_transform

    label_like = [name for name in (rows.label, rows.split, rows.weight) if name]
    frozen = freeze_transform(
        rows.task.transform,
        session=rows.task.session,
        sql=training_sql,
        schema=rows.schema,
        label_like=label_like,
        where=rows.task.where,
    )
    kept = {name_key(name) for name in label_like}
    columns = tuple(column for column in frozen if name_key(column.name) not in kept)
    if not columns:
        raise EmptyDataError(
            f"TRANSFORM of model {rows.task.name} makes no feature",
            where=rows.task.where,
            hint="add the columns to learn from, or * for all of them",
        )
    return Frozen(columns=columns, inputs=_inputs(rows, columns), listed=tuple(column.name for column in frozen))


def _inputs(rows: TrainingRows, columns: Sequence[FrozenColumn]) -> tuple[InputColumn, ...]:
    """The query's columns that the frozen SQL reads, in the query's order; it names each of them in quotes."""
    return tuple(
        InputColumn(name=name, type=str(rows.schema.field(name).type))
        for name in rows.features
        if any(quote_name(name) in column.sql for column in columns)
    )
