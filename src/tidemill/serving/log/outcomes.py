"""How the answers of a rollout came out: losses of those whose labels have arrived, by version.

A classifier loses 1 for a wrong class and 0 for the right one. A regression loses its absolute error in units of a
scale, at most 1: bounded losses are what the sequential test of a rollout is valid for, whatever their distribution.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tidemill.core.names import quote_text
from tidemill.warehouse.control.outcomes import Outcomes
from tidemill.warehouse.protocol import Session

# A label that names an entity's key belongs to the newest answer of each version for that key up to the label's time.
_SQL = """
WITH answers AS (
    SELECT id, "at" AS given_at, version, key, prediction, score, probabilities IS NOT NULL AS classifies
    FROM tidemill.predictions
    WHERE deployment = {deployment} AND "at" >= {since} AND route <> 'fallback'
), arrived AS (
    SELECT *, coalesce("at", arrived_at) AS known_for
    FROM tidemill.labels
    WHERE deployment = {deployment} AND arrived_at >= {since}
    QUALIFY row_number() OVER (
        PARTITION BY prediction_id, CASE WHEN prediction_id IS NULL THEN key END,
                     CASE WHEN prediction_id IS NULL THEN "at" END
        ORDER BY revision DESC) = 1
), by_key AS (
    SELECT arrived.label, arrived.known_for, versions.version, arrived.key
    FROM arrived CROSS JOIN (SELECT DISTINCT version FROM answers) AS versions
    WHERE arrived.prediction_id IS NULL
), labelled AS (
    SELECT answers.*, arrived.label, 1 AS rank, arrived.arrived_at AS known_for
    FROM answers JOIN arrived ON arrived.prediction_id = replace(answers.id, '-shadow', '')
    UNION ALL BY NAME
    SELECT answers.*, by_key.label, 2 AS rank, by_key.known_for
    FROM by_key ASOF JOIN answers
      ON answers.key = by_key.key AND answers.version = by_key.version AND by_key.known_for >= answers.given_at
), chosen AS (
    SELECT * FROM labelled QUALIFY row_number() OVER (PARTITION BY id, version ORDER BY rank, known_for DESC) = 1
), scaled AS (
    SELECT *, {scale} AS scale FROM chosen
), losses AS (
    SELECT version,
           CASE WHEN label IS NULL THEN NULL
                WHEN classifies THEN CAST(prediction IS DISTINCT FROM label AS INTEGER)
                WHEN abs(score - TRY_CAST(label AS DOUBLE)) IS NULL THEN NULL  -- least() passes over NULL
                ELSE least(1, abs(score - TRY_CAST(label AS DOUBLE)) / scale) END AS loss
    FROM scaled
)
SELECT version, count(loss) AS answers, sum(loss) AS loss_sum, sum(loss * loss) AS loss_squares
FROM losses WHERE loss IS NOT NULL GROUP BY version ORDER BY version
"""

# Without a scale: twice the standard deviation of the labels that have arrived, one for both versions.
_OWN_SCALE = "coalesce(nullif(2 * stddev_pop(TRY_CAST(label AS DOUBLE)) OVER (), 0), 1)"


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
        deployment=quote_text(deployment),
        since=f"TIMESTAMP {quote_text(since.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f'))}",
        scale=_OWN_SCALE if scale is None else f"{float(scale)!r}::DOUBLE",
    )
    rows = session.query(sql).read_all().to_pylist()
    return {
        row["version"]: Outcomes(
            answers=row["answers"], loss_sum=float(row["loss_sum"]), loss_squares=float(row["loss_squares"])
        )
        for row in rows
    }
