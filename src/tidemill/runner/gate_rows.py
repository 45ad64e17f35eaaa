"""The rows that gates judge on: scored by a version, looked for among training rows, looked at for leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tidemill.core.names import name_key
from tidemill.core.rows import rows_of_table
from tidemill.runner.call import FunctionCall
from tidemill.runner.execute import OpenQuery, QueryInput
from tidemill.runner.functions.facts import facts_of
from tidemill.runner.functions.scoring import feature_source, scored_batches

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.held_out import Reopened
    from tidemill.runner.stations import Stations

_ROW, _HELD = "tm_row", "tm_held"


def score_table(stations: Stations, model: LoadedModel, table: pa.Table) -> np.ndarray:
    """Scores of a table's rows, in their order, as ML.PREDICT works them out.

    Raises
    ------
    BindError
        A column that the model needs is missing.
    """
    import numpy as np

    given = table.append_column(_ROW, [np.arange(table.num_rows)])
    with stations.session() as session:
        data = QueryInput(OpenQuery(sql=f"SELECT * FROM {_HELD}", relations={_HELD: rows_of_table(given)}), session)
        call = FunctionCall(function="ML.PREDICT", model=model, inputs=(data,), threads=stations.threads)
        facts = facts_of(call)
        classes = len(facts.labels.classes)
        scores = np.empty((table.num_rows, classes) if classes else table.num_rows)
        for batch, found in scored_batches(call, feature_source(call, facts), [_ROW]):
            scores[batch.column(_ROW).to_numpy()] = found
    return scores


def trained_on(again: Reopened, table: pa.Table, *, inputs: Sequence[str]) -> np.ndarray | None:
    """Which rows of a table occur among the training rows of a version: the same features, as far as both have them.

    None where the table lacks the label or some of the ``inputs``: columns the version reads.
    """
    import numpy as np

    rows, where = again.rows, again.split.where
    spelled = {name_key(name): name for name in table.column_names}
    common = [name for name in (*rows.features, rows.label) if name_key(name) in spelled]
    if not {name_key(name) for name in (*inputs, rows.label)} <= set(map(name_key, common)):
        return None
    renamed = table.select([spelled[name_key(name)] for name in common]).rename_columns(common)
    given = renamed.append_column(_ROW, [np.arange(table.num_rows)])
    session = rows.task.session
    key = session.row_hash(common)
    held = session.materialise(f"SELECT {_ROW}, {key} AS tm_key FROM {_HELD}", {_HELD: rows_of_table(given)})
    # The held-out rows are the few that are kept in memory; the training rows stream past them.
    trained = f"SELECT {key} AS tm_key FROM ({rows.sql}) AS tm_rows" + (f" WHERE {where}" if where else "")
    met = f"SELECT DISTINCT tm_key FROM ({trained}) AS t WHERE tm_key IN (SELECT tm_key FROM {held})"
    seen = np.zeros(table.num_rows, dtype=bool)
    for batch in session.query(f"SELECT {_ROW} FROM {held} WHERE tm_key IN ({met})"):
        seen[batch.column(0).to_numpy()] = True
    return seen


def texts(column: pa.ChunkedArray) -> np.ndarray:
    """Values of a column as text; NULL is ``NULL``. Numbers with many values become five ranges of as many rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from tidemill.sources.column_codes import is_measure, numbers

    if is_measure(column) and pc.count_distinct(column).as_py() > _MOST_VALUES:
        return _ranges(numbers(column))
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return np.asarray(column.cast(pa.string()).fill_null("NULL").to_pylist(), dtype=object)


_MOST_VALUES = 20


def _ranges(values: np.ndarray) -> np.ndarray:
    import numpy as np

    edges = np.unique(np.nanquantile(values, [0, 0.2, 0.4, 0.6, 0.8, 1]))
    if edges.size < 2:
        return np.where(np.isnan(values), "NULL", f"{edges[0]:.6g}").astype(object)
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2)
    names = np.array([f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges.tolist())], dtype=object)
    found: np.ndarray = np.where(np.isnan(values), "NULL", names[at])
    return found


def separations(table: pa.Table, inputs: Sequence[str], y: np.ndarray, classes: int) -> dict[str, float]:
    """How well each input alone tells the classes apart; inputs it cannot be said of are left out."""
    from tidemill.sources.separation import separation

    if not classes:
        return {}
    found = {name: separation(table[name], y, classes) for name in inputs}
    return {name: area for name, area in found.items() if area is not None}


def given_away(
    table: pa.Table, inputs: Sequence[str], label: str, *, regression: bool
) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Inputs that know the label, alone or together."""
    import pyarrow as pa

    from tidemill.sources.leaks import find_leaks

    plain = [name for name in inputs if not pa.types.is_nested(table[name].type)]
    return tuple(
        (leak.columns, leak.why) for leak in find_leaks(table.select([*plain, label]), label, regression=regression)
    )


def late_shares(table: pa.Table, inputs: Sequence[str], label_time: str) -> dict[str, float]:
    """By time input: the share of rows in which it lies at or after the label's time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def is_time(name: str) -> bool:
        kind = table[name].type
        return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))

    def instant(name: str) -> pa.ChunkedArray:
        return table[name].cast(pa.timestamp("us"))

    if not label_time or not is_time(label_time) or not table.num_rows:
        return {}
    until = instant(label_time)
    times = [name for name in inputs if is_time(name) and name != label_time]
    late = {name: pc.sum(pc.greater_equal(instant(name), until)).as_py() or 0 for name in times}
    return {name: count / table.num_rows for name, count in late.items()}


def has_measure(table: pa.Table, inputs: Sequence[str]) -> bool:
    """Whether some input is a number with so many values that equal rows are no accident."""
    from tidemill.sources.column_codes import is_measure

    return any(is_measure(table[name]) for name in inputs)


def spelled(names: Mapping[str, Any] | Sequence[str], wanted: str) -> str | None:
    """How a column is spelled among some names, whatever its letter case."""
    return next((name for name in names if name_key(name) == name_key(wanted)), None)
