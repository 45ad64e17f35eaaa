"""ML.TRAINING_INFO and ML.FEATURE_INFO: how a model was trained, and on what.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-train
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-feature
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.runner.functions.columns import small_rows
from tidemill.runner.functions.facts import facts_of

if TYPE_CHECKING:
    from tidemill.core.rows import Rows
    from tidemill.runner.call import FunctionCall


def training_info(call: FunctionCall) -> Rows:
    """Return a row per iteration of the fit, and of the fits before it that WARM_START went on from."""
    import pyarrow as pa

    facts = facts_of(call)
    schema = pa.schema(
        [
            ("training_run", pa.int64()),
            ("iteration", pa.int64()),
            ("loss", pa.float64()),
            ("eval_loss", pa.float64()),
            ("learning_rate", pa.float64()),
            ("duration_ms", pa.int64()),
        ]
    )

    return small_rows(call, schema, facts.iterations)


def feature_info(call: FunctionCall) -> Rows:
    """Return a row per input column, as it was before TRANSFORM, over the training rows."""
    import pyarrow as pa

    facts = facts_of(call)
    schema = pa.schema(
        [
            ("input", pa.string()),
            *((name, pa.float64()) for name in ("min", "max", "mean", "median", "stddev")),
            *((name, pa.int64()) for name in ("category_count", "null_count", "dimension")),
        ]
    )
    return small_rows(call, schema, facts.feature_info)
