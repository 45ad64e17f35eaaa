"""CONTRIBUTION_ANALYSIS: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import SYNTAX
from tidemill.model_types.base import ModelType, Option

CONTRIBUTION_ANALYSIS = ModelType(
    name="CONTRIBUTION_ANALYSIS",
    task="other",
    doc="The segments that explain why a metric differs between test and control rows.",
    url=f"{SYNTAX}-create-contribution-analysis",
    options=(
        Option(
            name="CONTRIBUTION_METRIC",
            kind="str",
            required=True,
            doc="SUM(x), SUM(x)/SUM(y) or SUM(x)/COUNT(DISTINCT c).",
        ),
        Option(name="IS_TEST_COL", kind="str", required=True, doc="A BOOL column: TRUE for test rows."),
        Option(name="DIMENSION_ID_COLS", kind="strings", doc="The columns that make segments; all others without it."),
        Option(
            name="MIN_APRIORI_SUPPORT",
            kind="float",
            default=0.1,
            low=0.0,
            high=1.0,
            doc="The least share of the metric a segment must have.",
        ),
        Option(
            name="TOP_K_INSIGHTS_BY_APRIORI_SUPPORT",
            kind="int",
            low=1,
            high=1_000_000,
            doc="Keep the segments with the greatest support.",
        ),
        Option(
            name="PRUNING_METHOD",
            kind="enum",
            default="NO_PRUNING",
            choices=("NO_PRUNING", "PRUNE_REDUNDANT_INSIGHTS"),
            doc="Whether redundant segments are left out.",
        ),
    ),
    functions=("ML.GET_INSIGHTS",),
    status="rejected",
    reason="Contribution analysis is not built yet. GROUP BY CUBE over the dimension columns, with "
    "SUM(x) FILTER (WHERE is_test) beside SUM(x) FILTER (WHERE NOT is_test), gives the same segments.",
)
