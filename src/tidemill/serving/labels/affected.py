"""Which windows of time news have touched, so that a pass recomputes those and no others.

Each commit of the collector has a number, and each row of the log that of the commit that brought it. A pass keeps the
number that was newest when it read, and asks the next time what came since; rows that still wait in the spool count as
news until they are in the lake.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemill.core.names import quote_text
from tidemill.serving.labels.joined import LOG, SEEN, Relations
from tidemill.warehouse.protocol import Session

_WINDOW = "make_timestamp(((epoch_us({0}) - {origin}) // {width}) * {width} + {origin})"

# An answer's window is touched by the answer itself, by a label of its own, and, where labels come by key, by a newer
# answer for its key that takes a label away from it.
_AFFECTED = """
WITH answers AS NOT MATERIALIZED (
    SELECT id, "key", "at", batch FROM {predictions} AS given
    WHERE deployment = {deployment} AND route <> 'fallback'
), news AS (
    SELECT prediction_id, "key", "at", arrived_at FROM {received} AS received
    WHERE deployment = {deployment} AND (batch > {since} OR batch IS NULL)
), fresh AS (
    SELECT id, "key", "at" FROM answers WHERE batch > {since} OR batch IS NULL
), keyed AS (
    SELECT DISTINCT "key" FROM {received} AS received
    WHERE deployment = {deployment} AND prediction_id IS NULL AND "key" IS NOT NULL
), moments AS (
    SELECT "key", coalesce({seen}, arrived_at) AS "at" FROM news WHERE prediction_id IS NULL
    UNION ALL SELECT told."key", {told} FROM {received} AS told SEMI JOIN news
      ON told.deployment = {deployment} AND told."key" = news."key" AND told."at" = news."at"
    UNION ALL SELECT "key", "at" - INTERVAL 1 MICROSECOND FROM fresh WHERE "key" IN (FROM keyed)
), of_keys AS (
    SELECT "key", "at" FROM answers WHERE "key" IN (SELECT "key" FROM moments)
), touched AS (
    SELECT "at" FROM fresh
    UNION ALL SELECT "at" FROM answers WHERE replace(id, '-shadow', '') IN (SELECT prediction_id FROM news)
    UNION ALL SELECT of_keys."at" FROM moments ASOF JOIN of_keys
      ON moments."key" = of_keys."key" AND moments."at" >= of_keys."at"
)
SELECT DISTINCT {window} AS start FROM touched ORDER BY start
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """The windows that news have touched, by when they begin (UTC, without a zone); ``upto`` is for the next time."""

    windows: tuple[datetime, ...]
    upto: int


def affected(
    session: Session,
    deployment: str,
    *,
    since: int,
    width: timedelta,
    origin: datetime = datetime(1970, 1, 1),  # noqa: DTZ001 - times of the log are in UTC, without a zone
) -> Affected:
    """The windows of a deployment's answers whose outcomes may be others than they were.

    Parameters
    ----------
    session
        A session with the log among its system tables.
    since
        `Affected.upto` of the last time; 0 for all there is.
    width
        How long a window is.
    origin
        When one of the windows begins.
    """
    ((upto, waiting),) = session.fetch(
        "SELECT coalesce(max(batch), 0), coalesce(bool_or(batch IS NULL), false)"
        f" FROM (SELECT batch FROM {LOG.predictions} UNION ALL SELECT batch FROM {LOG.received})"
    )
    if upto <= since and not waiting:
        return Affected(windows=(), upto=upto)
    sql = affected_sql(deployment, since=since, width=width, origin=origin)
    return Affected(windows=tuple(row[0] for row in session.fetch(sql)), upto=upto)


def affected_sql(
    deployment: str,
    *,
    since: int,
    width: timedelta,
    origin: datetime = datetime(1970, 1, 1),  # noqa: DTZ001 - as above
    of: Relations = LOG,
) -> str:
    """The query of `affected`."""
    epoch_us = (origin - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001 - as above
    window = _WINDOW.format('"at"', origin=epoch_us, width=width // timedelta(microseconds=1))
    return _AFFECTED.format(
        deployment=quote_text(deployment),
        since=int(since),
        window=window,
        seen=SEEN.format(at='"at"', arrived="arrived_at"),
        told=SEEN.format(at='told."at"', arrived="told.arrived_at"),
        predictions=of.predictions,
        received=of.received,
    ).strip()
