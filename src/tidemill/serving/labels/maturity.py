"""How long labels take to come, and which answers have those they are going to have.

The share of answers that have their first label by an age is estimated as survival is: an answer without a label is one
whose label has not come by its age [1]_, in bins of age that grow by a twelfth, with the life table's half of a bin
for those that leave inside one [2]_. Two curves: of all answers, and of what happened in the last ``RECENT_S`` alone,
to which older answers enter at the age they had then. The second tells within days that labels take longer; the lower
of the two counts.

Not every answer gets a label: where only one class is ever told, the curve ends far below 1. Where it ends, the
``coverage``, is known only once it has been flat for as long as it took to get there, and ``FEWEST`` labels have come;
until then every answer is taken to get one, so that what came first is not taken for all. The oldest answers that make
it known must be of some age too: labels of the first seconds say nothing of those that take days.

References
----------
.. [1] E. L. Kaplan, P. Meier, Nonparametric estimation from incomplete observations, JASA 53(282), 1958,
   https://doi.org/10.1080/01621459.1958.10501452
.. [2] S. J. Cutler, F. Ederer, Maximum utilization of the life table method in analyzing survival, Journal of Chronic
   Diseases 8(6), 1958, https://doi.org/10.1016/0021-9681(58)90126-7
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill.serving.labels.joined import ALL, LOG, Part, Relations, moment, outcomes_sql

if TYPE_CHECKING:
    from tidemill.warehouse.protocol import Session

RECENT_S = 30 * 86_400
COMPLETE = 0.95
"""The share of the labels to come that must be there before answers count, unless a deployment says another."""

FLAT_FOR = 2
"""The oldest answer is this many times as old as labels take, before the curve's end is believed."""

FEWEST = 30
"""With fewer labels than this the curve's end is not believed: of one label everything follows."""

LEAST_AGE_S = 3_600
"""Nor before the oldest answer is this old: what comes within seconds is told by whoever tries it out."""

PATIENCE = 4
"""After this many times the usual delay answers count, whether their labels came or not."""

# A delay of x seconds stands in bin floor(8 log2(1 + x)). Bin -1 holds those who are there from the beginning.
_BIN = "floor(8 * log2(1 + {0}))::BIGINT"
_EDGE = "pow(2, (bin + 1) / 8.0) - 1"

_DELAYS = """
WITH seen AS MATERIALIZED (
    SELECT deployment, greatest(0, epoch({now}) - epoch("at")) AS age,
           CASE WHEN first_arrived_at IS NOT NULL THEN greatest(0, epoch(first_arrived_at) - epoch("at")) END AS delay
    FROM ({outcomes}) WHERE route <> 'shadow' AND "at" <= {now}
), spans AS (
    SELECT deployment, true AS recent, greatest(0, age - {recent_s}) AS entry, coalesce(delay, age) AS leave, delay
    FROM seen WHERE coalesce(delay, age) >= greatest(0, age - {recent_s})
    UNION ALL
    SELECT deployment, false, 0, coalesce(delay, age), delay FROM seen
), bins AS (
    SELECT deployment, recent, bin, sum(entered) AS entered, sum(arrived) AS arrived, sum(left_out) AS left_out
    FROM (
        SELECT deployment, recent, CASE WHEN entry = 0 THEN -1 ELSE {entry} END AS bin, 1 AS entered, 0 AS arrived,
               0 AS left_out FROM spans
        UNION ALL
        SELECT deployment, recent, {leave}, 0, (delay IS NOT NULL)::BIGINT, (delay IS NULL)::BIGINT FROM spans
    ) GROUP BY ALL
), risks AS (
    SELECT *, sum(entered) OVER everyone AS answers,
           sum(entered - arrived - left_out) OVER earlier + entered / 2 - left_out / 2 AS at_risk
    FROM bins
    WINDOW everyone AS (PARTITION BY deployment, recent),
           earlier AS (PARTITION BY deployment, recent ORDER BY bin ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), curves AS (
    -- Of a few at the end of the curve one label says too much.
    SELECT *, 1 - exp(sum(ln(1 - CASE WHEN at_risk < least(10, answers / 10) OR arrived = 0 THEN 0
                                      ELSE least(arrived / greatest(at_risk, arrived), 1 - 1e-12) END)) OVER (
               PARTITION BY deployment, recent ORDER BY bin)) AS share
    FROM risks
), joined AS (
    SELECT deployment, bin, {edge} AS age_s, max(arrived) FILTER (NOT recent) AS arrived,
           max(at_risk) FILTER (NOT recent) AS at_risk, max(share) FILTER (NOT recent) AS share,
           max(share) FILTER (recent) AS recent_share
    FROM curves WHERE bin >= 0 GROUP BY deployment, bin
), filled AS (
    -- A bin that one of the curves lacks: nothing happened there, so it stands where it stood.
    SELECT deployment, bin, age_s, coalesce(arrived, 0) AS arrived, at_risk,
           coalesce(max(share) OVER so_far, 0) AS share, coalesce(max(recent_share) OVER so_far, 0) AS recent_share
    FROM joined WINDOW so_far AS (PARTITION BY deployment ORDER BY bin)
), ends AS (
    SELECT deployment, max(share) AS share, min(age_s) FILTER (share >= 0.95 * top) AS after_95_s,
           max(age_s) AS oldest_s, sum(arrived) AS labelled
    FROM (SELECT *, max(share) OVER (PARTITION BY deployment) AS top FROM filled) GROUP BY deployment
), covered AS (
    SELECT deployment, share > 0 AND oldest_s >= greatest({flat_for} * after_95_s, {least_age_s})
           AND labelled >= {fewest} AS settled,
           CASE WHEN {coverage} > 0 THEN {coverage} WHEN settled THEN share ELSE 1 END AS coverage
    FROM ends
)
SELECT filled.deployment, age_s, arrived::BIGINT AS arrived, at_risk::DOUBLE AS at_risk, share, recent_share,
       least(1, least(share, recent_share) / coverage) AS completeness, least(1, share / coverage) AS usual,
       coverage::DOUBLE AS coverage, settled OR {coverage} > 0 AS settled
FROM filled JOIN covered USING (deployment)
"""

_NOW = (
    "greatest((SELECT max(\"at\") FROM {predictions} AS p), (SELECT coalesce(max(arrived_at), TIMESTAMP '-infinity')"
    " FROM {received} AS r))"
)


def delays_sql(part: Part = ALL, of: Relations = LOG, *, coverage: float = 0.0) -> str:
    """The curves, a row for each age at which something happened.

    Parameters
    ----------
    part
        Its ``as_of`` is now; the newest time in the log when it is not given.
    coverage
        The share of answers that get a label in the end, where it is known; learnt when 0.
    """
    now = moment(part.as_of) if part.as_of else _NOW.format(predictions=of.predictions, received=of.received)
    return _DELAYS.format(
        now=now,
        outcomes=outcomes_sql(part, of),
        recent_s=RECENT_S,
        entry=_BIN.format("entry"),
        leave=_BIN.format("leave"),
        edge=_EDGE,
        flat_for=FLAT_FOR,
        fewest=FEWEST,
        least_age_s=LEAST_AGE_S,
        coverage=repr(float(coverage)),
    ).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """How the labels of one deployment come in.

    Parameters
    ----------
    ages_s
        Ages in seconds, growing.
    completeness
        At each: the share of the labels to come that have come, in [0, 1], by the lower of both curves.
    usual
        The same by the curve of all answers alone.
    coverage
        The share of answers that get a label in the end.
    settled
        Whether ``coverage`` is known; while it is not, it is 1.
    complete
        The share that is enough.
    """

    ages_s: tuple[float, ...] = ()
    completeness: tuple[float, ...] = ()
    usual: tuple[float, ...] = ()
    coverage: float = 1.0
    settled: bool = False
    complete: float = COMPLETE

    def completeness_at(self, age_s: float) -> float:
        """The share of the labels to come that have come for answers of an age, in [0, 1]."""
        return _at(self.ages_s, self.completeness, age_s)

    def age_of(self, share: float) -> float:
        """The age at which that share of the labels to come is usually there; infinite where it never was."""
        found = (age for age, there in zip(self.ages_s, self.usual, strict=True) if there >= share)
        return next(found, math.inf)

    def is_mature(self, *, youngest_s: float, answers: int, labelled: int) -> bool:
        """Whether answers have the labels they are going to have, so that a metric of them means something.

        What the curves lead to expect must have come: where labels take longer all at once, the first answers that
        wait are noticed by this alone. Answers that have waited several times as long as is usual count as they are.

        Parameters
        ----------
        youngest_s
            The age of the youngest of the answers.
        answers, labelled
            How many there are, and how many have a label.
        """
        if not answers:
            return False
        if self.settled and youngest_s >= PATIENCE * self.age_of(self.complete):
            return True
        expected = self.complete * self.coverage
        error = math.sqrt(expected * (1 - expected) / answers)
        return self.completeness_at(youngest_s) >= self.complete and labelled / answers >= expected - 3 * error


def learn_maturity(
    session: Session, deployment: str, *, as_of: datetime, complete: float = COMPLETE, coverage: float = 0.0
) -> Maturity:
    """Learn how the labels of a deployment come in, from what was known at a time."""
    part = Part(deployment=deployment, as_of=as_of)
    rows = session.query(f"FROM ({delays_sql(part, coverage=coverage)}) ORDER BY age_s").read_all().to_pylist()
    return maturity_of(rows, complete=complete, coverage=coverage)


def maturity_of(rows: Sequence[Mapping[str, Any]], *, complete: float = COMPLETE, coverage: float = 0.0) -> Maturity:
    """The curves of one deployment, from the rows of `delays_sql` in the order of their ages."""
    return Maturity(
        ages_s=tuple(row["age_s"] for row in rows),
        completeness=tuple(row["completeness"] for row in rows),
        usual=tuple(row["usual"] for row in rows),
        coverage=rows[0]["coverage"] if rows else coverage or 1.0,
        settled=rows[0]["settled"] if rows else coverage > 0,
        complete=complete,
    )


def _at(ages_s: tuple[float, ...], shares: tuple[float, ...], age_s: float) -> float:
    """The value at the last age that is reached: what happened in a bin counts from its end on."""
    import bisect

    place = bisect.bisect_right(ages_s, age_s)
    return shares[place - 1] if place else 0.0
