"""ML.TRANSFORM: what a model's TRANSFORM clause makes of rows.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-transform
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import StatementError
from tidemill.core.names import name_key, quote_name
from tidemill.core.rows import Rows
from tidemill.runner.functions.columns import is_wanted
from tidemill.runner.functions.facts import ModelFacts, facts_of
from tidemill.runner.functions.reading import find_columns

if TYPE_CHECKING:
    from tidemill.runner.call import FunctionCall


def transform(call: FunctionCall) -> Rows:
    """Return the columns of the TRANSFORM clause, with the statistics of the training rows; one row per input row.

    The label, which the clause passes through, is among them where the data has it.

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
    made = _passed(call, facts) | {column.name: column.sql for column in columns}
    ordered = [name for name in facts.manifest["transform_columns"] if name in made and is_wanted(call, name)]
    return call.inputs[0].rows(select=(), computed={name: made[name] for name in ordered})


def _passed(call: FunctionCall, facts: ModelFacts) -> dict[str, str]:
    """The label and others that TRANSFORM passes through, where the data has them; predictions do without."""
    present = {name_key(name): name for name in call.inputs[0].schema.names}
    listed = facts.manifest["transform_columns"]
    return {name: quote_name(present[name_key(name)]) for name in listed if name_key(name) in present}
