"""How the answers of a rollout came out: losses of those whose labels have arrived, by version.

A classifier loses 1 for a wrong class and 0 for the right one. A regression loses its absolute error in units of a
scale, at most 1: bounded losses are what the sequential test of a rollout is valid for, whatever their distribution.
"""

from __future__ import annotations

from datetime import datetime

from tidemill.serving.labels.joined import NUMBER, Part, outcomes_sql
from tidemill.warehouse.control.outcomes import Outcomes
from tidemill.warehouse.protocol import Session

_SQL = """
WITH told AS (
    SELECT version, prediction, label, score, probabilities IS NOT NULL AS classifies, {number} AS number
    FROM ({outcomes}) WHERE label IS NOT NULL
), measured AS (
    SELECT *, nullif(max(abs(number)) OVER (), 0) AS largest FROM told
), scaled AS (
    SELECT *, {scale} AS scale FROM measured
), losses AS (
    SELECT version,
           CASE WHEN classifies THEN CAST(prediction IS DISTINCT FROM label AS INTEGER)
                WHEN abs(score - number) IS NULL THEN NULL  -- least() passes over NULL
                ELSE least(1, abs(score - number) / scale) END AS loss
    FROM scaled
)
SELECT version, count(loss) AS answers, sum(loss) AS loss_sum, sum(loss * loss) AS loss_squares
FROM losses WHERE loss IS NOT NULL GROUP BY version ORDER BY version
"""

# Without a scale: twice the standard deviation of the labels that have arrived, one for both versions.
# Squares of absurd labels would overflow, which the engine refuses: they are taken as parts of the largest.
_OWN_SCALE = "coalesce(nullif(2 * stddev_pop(number / largest) OVER (), 0) * largest, 1)"


def evaluate_outcomes(
    session: Session, deployment: str, *, since: datetime, scale: float | None = None
) -> dict[int, Outcomes]:
    """Losses by version of the answers a deployment gave since a time, as far as their labels have arrived.

    Parameters
    ----------
    session
        A session with `tables.log_views` among its system tables.
    since
        When the stage of the rollout began: answers and labels of before do not count.
    scale
        The absolute error of a regression that counts as a loss of 1; twice the standard deviation of the labels
        when not given.
    """
    sql = _SQL.format(
        outcomes=outcomes_sql(Part(deployment=deployment, since=since, arrived_since=since)),
        number=NUMBER,
        scale=_OWN_SCALE if scale is None else f"{float(scale)!r}::DOUBLE",
    )
    rows = session.query(sql).read_all().to_pylist()
    return {
        row["version"]: Outcomes(
            answers=row["answers"], loss_sum=float(row["loss_sum"]), loss_squares=float(row["loss_squares"])
        )
        for row in rows
    }
