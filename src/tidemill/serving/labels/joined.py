"""Answers and labels as one relation, in SQL: one row an answer, with the label that counts for it.

Labels are only ever appended. Which of them counts is decided when they are read, so it does not matter when, how often
or in what order they came:

- A label is for a prediction's id, or for an entity's key at a time. Those with the same target are revisions of one
  another: the newest by ``known_at``, where the source says when it came to know it, else by arrival. One that says the
  same as the one before it is none.
- A label by key belongs to the newest answer for that key that was given up to its time, and to what the shadow said to
  the same request. Of several that belong to one answer the one of the latest time counts; before all a label by id.

Every function here returns the text of one SELECT. The names of the two relations it reads are an argument, so that it
can be asked of the log or of any rows of that form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tidemill.core.names import quote_text

_TARGET = "deployment, prediction_id, key_told, at_told"
# Nobody knows a thing after having told it: a clock that is ahead counts as the moment of arrival.
_ORDER = "least(known_at, came), came, turn, arrived_at, request, number"
# Batches come one after the other whatever a clock says; what is not collected yet comes last.
_TURN = f"coalesce(batch, {1 << 62})"
# When a label came: by our clock, unless a later batch has one of the same target from long before. Then the clock was
# ahead, and the label came before that one. A day, because a large batch does not take everything in order.
_CAME = f"""
SELECT * EXCLUDE (follower), CASE WHEN arrived_at > follower + INTERVAL 1 DAY THEN follower - INTERVAL 1 MICROSECOND
       ELSE arrived_at END AS came
FROM (
    SELECT *, {_TURN} AS turn, min(arrived_at) OVER (
        PARTITION BY {_TARGET} ORDER BY {_TURN} RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS follower
    FROM ({{told}})
)"""

_TOLD = """SELECT *, CASE WHEN prediction_id IS NULL THEN "key" END AS key_told,
           CASE WHEN prediction_id IS NULL THEN coalesce("at", arrived_at) END AS at_told
    FROM {received} AS received WHERE {where}"""

_REVISIONS = f"""
SELECT prediction_id, "key", deployment, model, coalesce("at", at_told) AS "at", label,
       row_number() OVER target AS revision, known_at, arrived_at{{more}}, source
FROM (
    SELECT *, row_number() OVER target AS place, lag(label) OVER target AS earlier{{inner}}
    FROM ({_CAME}) WINDOW target AS (PARTITION BY {_TARGET} ORDER BY {_ORDER})
)
WHERE place = 1 OR label IS DISTINCT FROM earlier
WINDOW target AS (PARTITION BY {_TARGET} ORDER BY {_ORDER})"""

# Nearly every target has one label, and a window over all of them takes three times as long. A target whose hash
# another one shares goes the long way too, and comes out the same.
_CURRENT = f"""
WITH told AS {{keep}} ({{told}}
), several AS MATERIALIZED (
    SELECT hash({_TARGET}) AS target FROM told GROUP BY ALL HAVING count(*) > 1
)
SELECT prediction_id, "key", deployment, model, coalesce("at", at_told) AS "at", label, 1::BIGINT AS revision, known_at,
       arrived_at, arrived_at AS first_arrived_at, source
FROM told ANTI JOIN several ON hash({_TARGET}) = several.target
UNION ALL BY NAME
({{revisions}}
QUALIFY lead(1) OVER target IS NULL)"""

_SEVERAL = f"SELECT * FROM told SEMI JOIN several ON hash({_TARGET}) = several.target"
_FIRST = f", min(arrived_at) OVER (PARTITION BY {_TARGET}) AS first_arrived_at"


NUMBER = "CASE WHEN isfinite(TRY_CAST(label AS DOUBLE)) THEN TRY_CAST(label AS DOUBLE) END"
"""A label as a number; NULL where it is none, and where it is infinite or NaN, which is no label."""


def place_or_number(classes: Sequence[str]) -> str:
    """A label as the place of its class, or as a number where there are no classes; NULL where it is neither."""
    places = " ".join(f"WHEN {quote_text(one)} THEN {place}" for place, one in enumerate(classes))
    return f"CASE label {places} END" if classes else NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of the log a relation is about; all of it by default.

    Parameters
    ----------
    deployment
        One deployment; all of them when empty.
    since, until
        Answers that were given from ``since`` on and before ``until``.
    as_of
        What was known at that time: answers and labels that came later do not count.
    arrived_since
        Labels that arrived from then on. Only for answers of which no label can have arrived before.
    """

    deployment: str = ""
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    arrived_since: datetime | None = None


ALL = Part()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """What is read: relations with the columns of those two system tables, or queries in parentheses."""

    predictions: str = "tidemill.predictions"
    received: str = "tidemill.received_labels"


LOG = Relations()


def revisions_sql(of: Relations = LOG) -> str:
    """Each label that said something new of its target, numbered from 1: ``tidemill.label_revisions``."""
    told = _TOLD.format(received=of.received, where="true")
    return _REVISIONS.format(told=told, inner="", more="").strip()


def labels_sql(part: Part = ALL, of: Relations = LOG) -> str:
    """The label that counts for each target: ``tidemill.labels``."""
    return _current(of, _where_received(part)).strip()


def outcomes_sql(part: Part = ALL, of: Relations = LOG) -> str:
    """One row an answer with the label that counts for it, NULL where none has arrived: ``tidemill.outcomes``."""
    labels = _where_received(part)
    bounded = part.since is not None or part.until is not None
    within = " AND prediction_id IN (SELECT request FROM answers)" if bounded else ""
    given = [*_of(part.deployment), "route <> 'fallback'", *_up_to('"at"', part.as_of)]
    since = [f'"at" >= {moment(part.since)}'] if part.since is not None else []
    until = [f'"at" < {moment(part.until)}'] if part.until is not None else []
    return _OUTCOMES.format(
        predictions=of.predictions,
        answers=" AND ".join([*given, *since, *until]),
        # An answer behind the end of the part takes the labels that came after it: it has to be looked at.
        keyed=" AND ".join([*given, *since, "route <> 'shadow'"]),
        by_id=_current(of, f"{labels} AND prediction_id IS NOT NULL{within}", few=bounded),
        by_key=_current(of, f'{labels} AND prediction_id IS NULL AND "key" IS NOT NULL'),
        request=REQUEST,
        seen=SEEN.format(at='"at"', arrived="first_arrived_at"),
    ).strip()


def parked_sql(of: Relations = LOG) -> str:
    """The labels that count for no answer yet, and why: ``tidemill.parked_labels``."""
    return _PARKED.format(
        predictions=of.predictions,
        by_id=_current(of, "prediction_id IS NOT NULL"),
        by_key=_current(of, "prediction_id IS NULL"),
        seen=SEEN.format(at='by_key."at"', arrived="by_key.first_arrived_at"),
    ).strip()


def moment(time: datetime) -> str:
    """A time as SQL: in UTC, without a zone. One that has no zone is in UTC."""
    utc = time if time.tzinfo is None else time.astimezone(UTC)
    return f"TIMESTAMP {quote_text(utc.strftime('%Y-%m-%d %H:%M:%S.%f'))}"


REQUEST = "CASE WHEN route = 'shadow' THEN replace(id, '-shadow', '') ELSE id END"
"""What a label by id names: the answer that was sent; the shadow's answer is to the same request."""

SEEN = "least({at}, {arrived} + INTERVAL 1 DAY)"
"""Up to when a label by key looks for its answer: one from the far future would be handed on from answer to answer."""

_OUTCOMES = """
WITH answers AS NOT MATERIALIZED (
    SELECT *, {request} AS request FROM {predictions} AS given WHERE {answers}
), by_key AS (
    SELECT *, {seen} AS seen FROM ({by_key})
), keyed AS (
    SELECT deployment, "key", "at", max(id) AS request FROM {predictions} AS given
    WHERE {keyed} AND "key" IN (SELECT "key" FROM by_key) GROUP BY ALL
), chosen AS (
    SELECT by_key.* EXCLUDE (prediction_id, seen), keyed.request
    FROM by_key ASOF JOIN keyed
      ON by_key.deployment = keyed.deployment AND by_key."key" = keyed."key" AND by_key.seen >= keyed."at"
    QUALIFY row_number() OVER (PARTITION BY keyed.deployment, keyed.request ORDER BY by_key."at" DESC) = 1
), by_id AS ({by_id}
), told AS (
    SELECT deployment, prediction_id AS request, label, "at", arrived_at, revision, first_arrived_at, source FROM by_id
    UNION ALL BY NAME
    SELECT deployment, request, label, "at", arrived_at, revision, first_arrived_at, source
    FROM chosen ANTI JOIN by_id ON chosen.deployment = by_id.deployment AND chosen.request = by_id.prediction_id
)
SELECT answers.id, answers.deployment, answers.model, answers.version, answers.route, answers."key", answers."at",
       answers.inputs, answers.prediction, answers.score, answers.probabilities, told.label, told."at" AS label_at,
       told.arrived_at, told.revision, told.first_arrived_at, told.source AS label_source
FROM answers LEFT JOIN told ON told.deployment = answers.deployment AND told.request = answers.request
"""

_PARKED = """
WITH by_id AS ({by_id}
), by_key AS ({by_key}
), firsts AS (
    SELECT deployment, "key", min("at") AS since FROM {predictions} AS given
    WHERE route NOT IN ('shadow', 'fallback') AND "key" IN (SELECT "key" FROM by_key) GROUP BY ALL
)
SELECT * FROM (
    SELECT by_id.*, CASE
        WHEN given.id IS NULL THEN 'no prediction has this id'
        WHEN given.deployment <> by_id.deployment THEN 'the prediction is of deployment ' || given.deployment
        WHEN given.route = 'fallback' THEN 'the fallback answered'
        END AS reason
    FROM by_id LEFT JOIN (
        SELECT id, deployment, route FROM {predictions} AS all_given
        WHERE route <> 'shadow' AND id IN (SELECT prediction_id FROM by_id)
    ) AS given ON given.id = by_id.prediction_id
    UNION ALL BY NAME
    SELECT by_key.*, CASE
        WHEN firsts.since IS NULL THEN 'there is no answer for this key'
        WHEN firsts.since > {seen} THEN 'the first answer for this key is later'
        END AS reason
    FROM by_key LEFT JOIN firsts ON firsts.deployment = by_key.deployment AND firsts."key" = by_key."key"
) WHERE reason IS NOT NULL
"""


def _current(of: Relations, where: str, *, few: bool = False) -> str:
    """The last revision of each target, and when its first label arrived. ``few``: better kept than sought thrice."""
    revisions = _REVISIONS.format(told=_SEVERAL, inner=_FIRST, more=", first_arrived_at")
    return _CURRENT.format(
        keep="MATERIALIZED" if few else "NOT MATERIALIZED",
        told=_TOLD.format(received=of.received, where=where),
        revisions=revisions,
    )


def _where_received(part: Part) -> str:
    since = [f"arrived_at >= {moment(part.arrived_since)}"] if part.arrived_since is not None else []
    return " AND ".join([*_of(part.deployment), *_up_to("arrived_at", part.as_of), *since]) or "true"


def _of(deployment: str) -> list[str]:
    return [f"deployment = {quote_text(deployment)}"] if deployment else []


def _up_to(column: str, time: datetime | None) -> list[str]:
    return [f"{column} <= {moment(time)}"] if time is not None else []
