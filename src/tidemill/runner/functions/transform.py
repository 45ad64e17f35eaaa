"""ML.TRANSFORM: what a model's TRANSFORM clause makes of rows.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-transform
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import StatementError
from tidemill.core.rows import Rows
from tidemill.runner.functions.columns import is_wanted
from tidemill.runner.functions.facts import facts_of
from tidemill.runner.functions.reading import find_columns

if TYPE_CHECKING:
    from tidemill.runner.call import FunctionCall


def transform(call: FunctionCall) -> Rows:
    """Return the columns of the TRANSFORM clause, with the statistics of the training rows; one row per input row.

    Raises
    ------
    StatementError
        The model has no TRANSFORM clause.
    """
    facts = facts_of(call)
    columns = facts.plan.transforms
    if not columns:
        raise StatementError(
            f"ML.TRANSFORM needs a model with a TRANSFORM clause; {facts.name} has none",
            where=call.where,
            hint="add TRANSFORM(...) to the model's CREATE MODEL statement",
        )
    find_columns(call, [], raw=[column.name for column in facts.plan.inputs])
    seen = {column.name: column.sql for column in columns if is_wanted(call, column.name)}
    return call.inputs[0].rows(select=(), computed=seen)
