"""Labels and scores of a version on rows that are already in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.runner.call import FunctionCall
from tidemill.runner.execute import OpenQuery, QueryInput
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.functions.scoring import judged_rows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations

ROWS = "tm_rows_to_judge"


def judged_table(stations: Stations, model: LoadedModel, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of a table's rows, in their order, as `evaluation.judge.judge` takes them.

    Raises
    ------
    StatementError
        A column that the model reads is missing.
    DataError
        A column holds something else than in training, or a label is NULL or unknown to the model.
    """
    with stations.session() as session:
        rows = QueryInput(OpenQuery(sql=f"SELECT * FROM {ROWS}", relations={ROWS: table}), session)
        call = FunctionCall(function="ML.EVALUATE", model=model, inputs=(rows,), threads=stations.threads)
        return judged_rows(call, ModelFacts(model))()
