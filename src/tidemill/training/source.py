"""The training rows as training sees them: one order, a label, a weight, and which columns are features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, EmptyDataError, LabelError
from tidemill.core.names import did_you_mean, name_key
from tidemill.training.window import WEIGHT, Window, read_moments, windowed

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.training.task import TrainTask


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """The query's rows in a fixed order, and the part each column plays.

    ``sql`` gives the same rows in the same order each time it is read. ``features`` are all columns but the label,
    the split column, the weight and the times of the rows. ``window`` says which rows their times left over.
    """

    task: TrainTask
    sql: str
    schema: pa.Schema
    label: str
    split: str
    weight: str
    features: tuple[str, ...]
    window: Window | None = None

    def query(self, select: str, where: str = "") -> Iterator[pa.RecordBatch]:
        """Batches of some expressions over the rows, in their order."""
        condition = f" WHERE {where}" if where else ""
        yield from self.task.session.query(f"SELECT {select} FROM ({self.sql}) AS tm_rows{condition}")


def open_rows(task: TrainTask) -> TrainingRows:
    """Fix the order of the rows and find the columns.

    A query whose order may change from one reading to the next (joins, groups, calls of ML functions) is kept in the
    session, sorted by a hash of the row: equal rows in any order then train the same model.

    Raises
    ------
    BindError
        A column that the options name is not among the query's.
    LabelError
        There is no label column.
    EmptyDataError
        No column is left to learn from.
    """
    schema = task.session.schema(task.sql, task.relations)
    label = _find_label(task, schema)
    split = find_named(task, schema, "data_split_col")
    weight = find_named(task, schema, "instance_weight_col")
    time, known = read_moments(task, schema, find_named)
    features = tuple(name for name in schema.names if name not in (label, split, weight, time, known))
    if not features and not task.transform:
        raise EmptyDataError(
            f"model {task.name} has nothing to learn from: the query has no column besides {label}",
            where=task.where,
            hint="add feature columns to the query",
        )
    sql = task.sql
    if task.relations or not task.ordered:
        order = [task.session.row_hash(schema.names)]
        sql = f"SELECT * FROM {task.session.materialise(task.sql, task.relations, sort=order)}"
    window = windowed(task, sql, time=time, known=known, weight=weight)
    if window is not None:
        sql = window.sql
        weight = WEIGHT if window.weighs else weight
    return TrainingRows(
        task=task,
        sql=sql,
        schema=schema,
        label=label,
        split=split,
        weight=weight,
        features=features,
        window=window,
    )


def _find_label(task: TrainTask, schema: pa.Schema) -> str:
    wanted = str((task.options.get("input_label_cols") or ["label"])[0])
    found = _find(schema, wanted)
    if found:
        return found
    if "input_label_cols" in task.given:
        raise BindError(
            f"the label column {wanted} of model {task.name} is not among the columns of its query",
            where=task.where,
            hint=did_you_mean(wanted, schema.names),
            column=wanted,
            columns=list(schema.names),
        )
    raise LabelError(
        f"model {task.name} has no label: no option names it, and the query has no column named label",
        where=task.where,
        hint=f"add INPUT_LABEL_COLS = ['{schema.names[-1]}'] to OPTIONS, with the column to predict",
        columns=list(schema.names),
    )


def find_named(task: TrainTask, schema: pa.Schema, option: str) -> str:
    """The query's own name of the column that an option names; '' where it names none.

    Raises
    ------
    BindError
        There is no such column.
    """
    wanted = task.options.get(option)
    if not wanted:
        return ""
    found = _find(schema, str(wanted))
    if found:
        return found
    raise BindError(
        f"{option.upper()} of model {task.name} names {wanted}, which is not among the columns of its query",
        where=task.where,
        hint=did_you_mean(str(wanted), schema.names),
        column=str(wanted),
        columns=list(schema.names),
    )


def _find(schema: pa.Schema, wanted: str) -> str:
    if wanted in schema.names:
        return wanted
    by_key = {name_key(name): str(name) for name in schema.names}
    return by_key.get(name_key(wanted), "")
