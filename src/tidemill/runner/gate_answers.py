"""Labelled answers of production as rows that versions can be held against each other on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.runner.gate_rows import spelled
from tidemill.serving.gates.case import Missing
from tidemill.serving.labels.joined import Part, outcomes_sql, place_or_number
from tidemill.serving.log.texts import text_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.core.sections import DeploymentSettings
    from tidemill.model_types.base import Labels
    from tidemill.runner.stations import Stations

MOST = 20_000
"""The newest so many are enough for an interval that decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Which answers are asked for.

    Parameters
    ----------
    inputs
        Columns that the versions read, with their Arrow types as text.
    schema
        The columns of the training query: answers are read in its types, so that rows which trained are known again.
    label
        The label's column there.
    """

    settings: DeploymentSettings
    labels: Labels
    inputs: Mapping[str, str]
    schema: pa.Schema
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows as callers sent them, with the label's column; ``y`` are class ordinals or numbers."""

    table: pa.Table
    y: np.ndarray


def labelled_answers(stations: Stations, asked: Answered) -> Rows | Missing:
    """The newest labelled answers of a deployment, typed as the training query's rows are.

    Missing where callers' columns are not in the log as they were sent, or are not what training had.
    """
    import pyarrow as pa

    hidden = {name_key(name) for name in (*asked.settings.hash_columns, *asked.settings.omit_columns)}
    lost = [name for name in asked.inputs if name_key(name) in hidden]
    if lost:
        return Missing(f"the log does not hold {lost[0]} as it was sent")
    with stations.session() as session:
        found = session.query(_sql(asked)).read_all()
    if not found.num_rows:
        return Missing("no answer in the log has a label yet")
    try:
        columns = {name: _typed(found.column(name), _type(asked, name)) for name in asked.inputs}
        label = _label(asked, found.column("tm_y"))
    except (ValueError, NotImplementedError) as error:  # what Arrow's own are kinds of
        return Missing(f"answers in the log are not of the types of training ({str(error).splitlines()[0]})")
    y: np.ndarray = found.column("tm_y").to_numpy()
    return Rows(table=pa.table({**columns, asked.label: label}), y=y.astype("int64") if asked.labels.classes else y)


def _sql(asked: Answered) -> str:
    structure = quote_text(json.dumps(dict.fromkeys(asked.inputs, "VARCHAR"), ensure_ascii=False))
    sent = ", ".join(f"tm_sent.{quote_name(name)} AS {quote_name(name)}" for name in asked.inputs)
    classes = [text_of(one) for one in asked.labels.classes]
    y = place_or_number(classes)
    outcomes = outcomes_sql(Part(deployment=asked.settings.name))
    return (
        f'SELECT {sent}, tm_y FROM (SELECT from_json(inputs, {structure}) AS tm_sent, {y} AS tm_y, "at", id'
        f" FROM ({outcomes}) WHERE route <> 'shadow' AND label IS NOT NULL)"
        f' WHERE tm_y IS NOT NULL ORDER BY "at" DESC, id LIMIT {MOST}'
    )


def _type(asked: Answered, name: str) -> pa.DataType:
    """The training query's type of a column; what the champion alone reads has the type that it was trained with."""
    import pyarrow as pa

    there = spelled(asked.schema.names, name)
    return asked.schema.field(there).type if there is not None else pa.type_for_alias(asked.inputs[name])


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date(kind):  # a caller may send a moment
        column = pc.utf8_slice_codeunits(column, 0, 10)
    if pa.types.is_integer(kind):  # 3.0 is 3 in JSON
        column = pc.replace_substring_regex(column, r"\.0+$", "")
    return column.cast(kind)


def _label(asked: Answered, y: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    kind = asked.schema.field(asked.label).type
    if not asked.labels.classes:
        return y.cast(kind, safe=False)
    return pa.chunked_array([pa.array(asked.labels.classes, type=kind)]).take(y)
